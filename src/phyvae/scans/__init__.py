"""Scans: intensities, and what an image tells of its lattice."""
