"""A contest: one setting with two values, to be compared with each other."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import yaml

from pytest_lem.config.grid import Combination, label_of
from pytest_lem.config.layers import Path as Keys
from pytest_lem.config.layers import Sourced
from pytest_lem.errors import config_error, did_you_mean

#: Settings that make a case what it is; the others say how it is measured and judged.
_FIELDS = ("backend", "model", "precision", "batch_size", "workload")
_FORM = "FIELD:A,B, such as backend:transformers,vllm"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest(Combination):
    """Side A as a combination of its own, and side B beside it."""

    b: Combination
    name: str
    words: tuple[str, str]

    @property
    def change(self) -> str:
        """Return what is meant to differ, from what to what."""
        return f"{self.name}: {self.words[0]} -> {self.words[1]}"

    @property
    def title_of_a(self) -> str:
        """Return what side A is called."""
        return f"{self.name}:{self.words[0]}"


def contest(text: str, origin: str, backends: Container[str]) -> Contest:
    """Read `FIELD:A,B`; raises LemError (`config`) for what names no field or not two values.

    Options of a backend begin with its name.
    """
    name, colon, values = text.strip().partition(":")
    name = name.strip()
    path = tuple(part.strip() for part in name.split("."))
    words = [word.strip() for word in values.split(",")]
    if not colon or not all(path) or len(words) != 2 or not all(words):  # noqa: PLR2004 - two sides
        raise config_error(f"{origin}: {text!r} does not name two sides; write {_FORM}")
    path = _checked_path(path, origin, backends)
    a, b = (_value(word, origin) for word in words)
    if a == b:
        raise config_error(f"{origin}: both sides are {words[0]}; name two values")
    labels = label_of(a), label_of(b)
    return Contest(
        id="-vs-".join(label or side for label, side in zip(labels, "ab", strict=True)),
        values={path: Sourced(a, origin)},
        b=Combination(id=labels[1] or "b", values={path: Sourced(b, origin)}),
        name=name,
        words=(words[0], words[1]),
    )


def _checked_path(path: Keys, origin: str, backends: Container[str]) -> Keys:
    head = path[0]
    if head in _FIELDS:
        return path
    if head == "backends" or head in backends:
        return path if head == "backends" else ("backends", *path)
    hint = did_you_mean(head, list(_FIELDS))
    raise config_error(
        f"{origin}: `{'.'.join(path)}` is no setting of a case; {hint}, or an option of a backend "
        "(llama_cpp.n_threads)"
    )


def _value(word: str, origin: str) -> Any:
    try:
        return yaml.safe_load(word)
    except yaml.YAMLError:
        raise config_error(f"{origin}: {word!r} is not a value in YAML") from None
