"""The versions that a record names."""

from importlib.metadata import version

from pytest_lem.backends.host.packages import ALLOWED, versions


def test_installed_packages_are_named_with_their_version():
    """What is installed and decides about speed is there."""
    found = versions()
    assert found["pytest"] == version("pytest")
    assert found["pytest-lem"] == version("pytest-lem")


def test_nothing_else_is_named():
    """What is not on the list stays private, and what is not installed is left out."""
    found = versions()
    assert set(found) <= set(ALLOWED)
    assert "psutil" not in found
    assert all(found.values())
