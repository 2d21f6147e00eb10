"""Alignment: a start for training, from the lattice in each patch and the factors of domains."""
