"""Domains: labels of latent maps, their number, walls, grains, and agreement with the truth."""
