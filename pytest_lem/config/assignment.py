"""A setting as it is typed on a command line: `path=value`."""

from __future__ import annotations

from pytest_lem.config.layers import Layers
from pytest_lem.errors import config_error


def assign(layers: Layers, assignment: str, origin: str) -> None:
    """Put `path=value` into layers, the value read as YAML.

    Raises LemError (`config`) for what is none; `origin` is the option that was given.
    """
    import yaml

    name, equals, text = assignment.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    if not equals or not all(path):
        raise config_error(f"{origin}: write a setting as path=value, not {assignment!r}")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise config_error(f"{origin} {name}: {text!r} is not a value in YAML") from None
    layers.put(path, value, f"{origin} {name}")
