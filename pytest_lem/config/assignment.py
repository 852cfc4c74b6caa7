"""A setting as it is typed on a command line: `path=value`."""

from __future__ import annotations

from pytest_lem.config.layers import Layers
from pytest_lem.errors import config_error

#: Sections in which people put secrets by mistake, so that no message may repeat them.
_SECRETIVE = ("webhooks", "mlflow.uri")


def assign(layers: Layers, assignment: str, origin: str) -> None:
    """Put `path=value` into layers, the value read as YAML.

    Raises LemError (`config`) for what is none; `origin` is the option that was given.
    """
    import yaml

    name, equals, text = assignment.partition("=")
    path = tuple(part.strip() for part in name.split("."))
    is_secret = assignment.strip().startswith(_SECRETIVE)
    if not equals or not all(path):
        what = "what is given" if is_secret else repr(assignment)
        raise config_error(f"{origin}: write a setting as path=value, not {what}")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        what = "what is given" if is_secret else repr(text)
        raise config_error(f"{origin} {name}: {what} is not a value in YAML") from None
    layers.put(path, value, f"{origin} {name}")
