"""Whether a backend can do here what a test asks of it."""

from __future__ import annotations

import importlib.util

from pytest_lem.config.layers import Layers
from pytest_lem.errors import LemError
from pytest_lem.registry import BACKENDS, load


def has_interpreter(layers: Layers, backend: str) -> bool:
    """Tell whether the host of a backend has an interpreter, and so packages, of its own."""
    found = layers.leaves.get(("backends", backend, "python"))
    return found is not None and found.value is not None


def missing_backend(name: str, *, has_interpreter: bool) -> str | None:
    """Return a sentence with the install command if a backend's packages are not there.

    Those of another interpreter are not looked for. A backend that is not registered is left to the
    test, which then fails with its own sentence.
    """
    try:
        backend = load(BACKENDS, name)
    except LemError:
        return None
    lacking = [package for package in backend.requires if not _is_there(package)]
    if has_interpreter or not lacking:
        return None
    return f"the backend `{name}` needs {', '.join(lacking)}; run: {backend.install}"


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a parent is missing, or the module has no specification
        return False


def lacking_precision(name: str, precision: str | None) -> str | None:
    """Return a sentence if a backend does not have a precision, under whichever of its names.

    Without a precision it takes its own. A backend that is not registered is left to the test.
    """
    try:
        known = load(BACKENDS, name).precisions
    except LemError:
        return None
    if precision is None or precision in known or _canonical(precision) in known:
        return None
    return f"the backend `{name}` has no precision `{precision}`; it can do {', '.join(known)}"


def _canonical(precision: str) -> str | None:
    """Return the one name that the settings have for a precision."""
    from pydantic import ValidationError

    from pytest_lem.config.models import Settings

    try:
        return Settings(precision=precision).precision
    except ValidationError:
        return precision
