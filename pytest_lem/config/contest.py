"""A contest: one setting with two values, or two environments, to be compared with each other."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
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


def environments(text: str, origin: str, backends: Iterable[str]) -> Contest:
    """Read `PATH,PATH`, each an interpreter or a virtual environment, for any backend.

    Raises LemError (`config`) for what are not two, or no interpreters.
    """
    words = [word.strip() for word in text.split(",")]
    if len(words) != 2 or not all(words):  # noqa: PLR2004 - two sides
        raise config_error(
            f"{origin}: {text!r} does not name two environments; write PATH_A,PATH_B"
        )
    a, b = (_interpreter(word, origin) for word in words)
    if a == b:
        raise config_error(f"{origin}: both sides are {words[0]}; name two environments")
    names = [Path(word).name for word in words]
    if names[0] == names[1]:
        names = ["a", "b"]
    values: list[dict[Keys, Sourced]] = [
        {("backends", name, "python"): Sourced(str(path), origin) for name in backends}
        for path in (a, b)
    ]
    return Contest(
        id="-vs-".join(names),
        values=values[0],
        b=Combination(id=names[1], values=values[1]),
        name="environment",
        words=(words[0], words[1]),
    )


def _interpreter(word: str, origin: str) -> Path:
    """Return the interpreter of a path; what it leads to stays unknown, as environments need it."""
    path = Path(word).expanduser().absolute()
    found = path / "bin" / "python" if path.is_dir() else path
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise config_error(
            f"{origin}: there is no interpreter at {word}; name a virtual environment, or the "
            "python in it"
        )
    return found


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
