"""What a figure means: budgets now, baselines to come."""
