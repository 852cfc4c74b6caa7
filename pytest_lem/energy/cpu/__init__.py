"""The CPU's energy counters (RAPL): where they are, and how they are read over a window."""
