"""One sealed file for models, trainers and results."""
