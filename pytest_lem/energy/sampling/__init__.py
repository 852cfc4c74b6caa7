"""What the devices did meanwhile: sampled by a process of its own, kept as a series."""
