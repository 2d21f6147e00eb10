"""A start for training: where the lattice sits in a patch, and how patches differ."""
