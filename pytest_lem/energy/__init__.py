"""What reads joules: one file for each meter."""
