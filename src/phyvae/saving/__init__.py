"""The sealed file that models and trainers are saved to."""
