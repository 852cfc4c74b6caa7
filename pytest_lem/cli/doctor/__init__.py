"""`lem doctor`: what can be measured on this machine, and how well; one file for each section."""
