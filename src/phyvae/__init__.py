"""Physics-driven variational autoencoders for microscopy."""
