"""Scans: checked and scaled intensities, and the lattice spacing of an image."""
