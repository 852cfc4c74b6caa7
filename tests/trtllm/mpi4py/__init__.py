"""Where the worker is, so that its command line is that of a worker of MPI."""
