"""`lem ls`: lists of what there is, one file for each noun."""
