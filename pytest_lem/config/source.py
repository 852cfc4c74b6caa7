"""Configuration files: YAML with line numbers and `_extends`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pytest_lem.config.layers import Layers
from pytest_lem.config.layers import Path as Keys
from pytest_lem.errors import config_error

_EXTENDS = "_extends"
#: No setting lies deeper; an alias to what surrounds it would go on for ever.
_DEEPEST = 20


def read_file(path: Path, chain: tuple[Path, ...] = ()) -> Layers:
    """Read a file with all that it extends, the file itself on top.

    Raises LemError with file and line for what is no YAML, no mapping, a repeated key, a file
    that is not there, or files that extend each other in a circle.
    """
    path = path.resolve()
    if path in chain:
        circle = " -> ".join(p.name for p in (*chain, path))
        raise config_error(f"{path.name} extends itself: {circle}; take one `_extends` out")
    root = _compose(path, chain)
    layers = Layers()
    if root is None:
        return layers
    own = Layers()
    _walk(path, root, (), own)
    for parent in _parents(own):
        layers.update(read_file(path.parent / parent, (*chain, path)))
    layers.update(own)
    return layers


def _compose(path: Path, chain: tuple[Path, ...]) -> yaml.Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        asker = f", which {chain[-1].name} extends" if chain else ""
        raise config_error(f"cannot read the configuration {path}{asker}: {why}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise config_error(f"{_place(path, error)}: not valid YAML: {_problem(error)}") from error
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return None
    if not isinstance(root, yaml.MappingNode):
        raise config_error(f"{path}:1: a configuration is a mapping of keys to values")
    return root


def _place(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}" if mark else str(path)


def _problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or str(error).partition("\n")[0]


def _walk(path: Path, node: yaml.Node, keys: Keys, layers: Layers) -> None:
    """Put every leaf below `node` into `layers`, with its file and line as the origin."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        layers.put(keys, _construct(path, node), f"{path}:{node.start_mark.line + 1}")
        return
    if len(keys) > _DEEPEST:
        raise config_error(f"{path}:{node.start_mark.line + 1}: mappings are nested too deeply")
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = f"{path}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise config_error(f"{place}: a key is a word, not a list or mapping")
        if key in seen:
            raise config_error(f"{place}: the key `{key}` stands here a second time; keep one")
        seen.add(key)
        _walk(path, value_node, (*keys, key), layers)


def _construct(path: Path, node: yaml.Node) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        # The last two are what PyYAML raises for `!!bool maybe` and the like.
        place = f"{path}:{node.start_mark.line + 1}"
        raise config_error(f"{place}: not a plain value: {error}".split("\n", 1)[0]) from error


def _parents(own: Layers) -> list[str]:
    """Take `_extends` out of the settings of a file, and return its paths."""
    origin = own.origin((_EXTENDS,))
    if origin is None:
        return []
    given = own.leaves.pop((_EXTENDS,), None)
    names = [given.value] if given and isinstance(given.value, str) else given and given.value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise config_error(f"{origin}: `_extends` takes a relative path or a list of them")
    return names
