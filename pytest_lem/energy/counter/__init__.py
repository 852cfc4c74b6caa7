"""A counter that advances in ticks: how to find them, and windows between them."""
