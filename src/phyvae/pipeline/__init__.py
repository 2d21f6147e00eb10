"""Several trainings at once, and their comparison."""
