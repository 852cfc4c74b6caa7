"""What was asked for: models, layers, and where each value came from."""
