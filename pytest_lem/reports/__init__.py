"""How results are shown: one file for each format."""
