"""The bridge to pytest-benchmark: joules of a call, from a pass of its own after the timing."""
