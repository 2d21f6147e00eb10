"""Training: the objective, its steps and epochs, and the trainer."""
