"""The GPUs: the driver, the boards, the processes on them, what slows them down."""
