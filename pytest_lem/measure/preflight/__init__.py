"""What is checked before a model is loaded, so that what cannot work does not take minutes."""
