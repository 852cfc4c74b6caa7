"""The process in which a model runs, and the way to talk to it."""
