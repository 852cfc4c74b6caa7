"""What runs the model: one file for each inference library, and the host process around it."""
