"""Patches of a scan: grids, sites, neighbours, and their layout as maps."""
