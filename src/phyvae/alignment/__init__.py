"""Pretraining: shifts of the lattice, then content factors, then the decoder."""
