"""The versions that a record names, and those that are too old."""

from importlib.metadata import version

import pytest

from pytest_lem.backends.host.packages import ALLOWED, require_version, versions
from pytest_lem.errors import FailureKind, LemError


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


@pytest.mark.parametrize(
    ("found", "oldest"),
    [
        ("4.40", "5.0"),
        ("4.57.3", "5"),
        ("2.9.1", "2.13.0"),
        ("2.5.1+cu124", "2.6"),
        ("0.9.9", "0.10"),
    ],
)
def test_a_package_that_is_too_old_is_refused(found, oldest):
    """The sentence has both versions and the command, and the parts are compared as numbers."""
    with pytest.raises(LemError) as caught:
        require_version(found, oldest, "engine", "python -m pip install engine")
    assert str(caught.value) == (
        f"engine {found} is too old for this backend, which needs {oldest} or later; "
        "run: python -m pip install engine"
    )
    assert caught.value.kind is FailureKind.CONFIG


@pytest.mark.parametrize(
    ("found", "oldest"),
    [
        ("5.0", "5.0"),
        ("5", "5.0.0"),
        ("5.0.0", "5"),
        ("5.0.1", "5.0"),
        ("10.0", "9.9"),
        ("5.0.0rc1", "5.0"),
        ("2.13.0+cpu", "2.13.0"),
        ("2026.10.11549", "2025.1"),
        ("dev", "0.9"),
        ("0.0.0+unknown", "0.9"),
    ],
)
def test_a_package_that_is_new_enough_passes(found, oldest):
    """Equal, later, a pre-release of it, a local build, and one that tells no numbers."""
    require_version(found, oldest, "engine", "python -m pip install engine")
