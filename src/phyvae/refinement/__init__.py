"""Refinement: better latent maps after training."""
