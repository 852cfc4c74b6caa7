"""For all tests: pytest's own fixture for pytest runs within tests."""

pytest_plugins = ["pytester"]
