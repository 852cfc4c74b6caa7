"""A case: one configuration measured under one protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CaseKind = Literal["call", "infer", "serve", "train", "finetune"]

#: Digits of the digest that end a readable key.
SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured. Two cases are the same if, and only if, their digests are equal.

    Attributes:
        kind: what runs inside the window.
        label: the readable part of the key.
        settings: everything that defines the case, as plain JSON. `backend`, `model`,
            `precision` and `batch_size` are always there, None for kinds without them.

    """

    kind: CaseKind
    label: str
    settings: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the canonical settings, as hexadecimal digits."""
        return digest({"kind": self.kind, "settings": self.settings})

    @property
    def key(self) -> str:
        """Return the name under which results are stored.

        The label of a `call` case is already unique in a run (duplicates are refused);
        other labels are completed with the first digits of the digest.
        """
        return self.label if self.kind == "call" else f"{self.label}-{self.digest[:SHORT]}"


def digest(value: Any) -> str:
    """Hash plain JSON: keys sorted, and nulls left out.

    A setting added later with the default None therefore leaves old digests as they were.
    """
    text = json.dumps(_without_nulls(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(inner) for inner in value]
    return value


def infer_case(
    *,
    backend: str,
    model: str,
    precision: str,
    batch_size: int,
    workload: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Case:
    """Return the case of an offline batch.

    `workload` is its canonical form with the hash of the exact prompts, `options` the
    settings of the backend that differ from its defaults.
    """
    name = model.rstrip("/").rpartition("/")[2]
    label = f"infer/{backend}/{name}/{precision}/b{batch_size}/{workload['name']}"
    settings = {
        "backend": backend,
        "model": model,
        "precision": precision,
        "batch_size": batch_size,
        "workload": dict(workload),
        "options": dict(options),
    }
    return Case(kind="infer", label=label, settings=settings)


def serve_case(
    *,
    backend: str,
    model: str,
    precision: str,
    workload: Mapping[str, Any],
    traffic: Mapping[str, Any],
    label: str,
    slo: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Case:
    """Return the case of traffic: `label` says in a word how requests arrive.

    `slo` are the limits that a good request keeps: other limits make other figures of goodput, and
    so another case.
    """
    name = model.rstrip("/").rpartition("/")[2]
    settings = {
        "backend": backend,
        "model": model,
        "precision": precision,
        "batch_size": None,
        "workload": dict(workload),
        "traffic": dict(traffic),
        "slo": dict(slo),
        "options": dict(options),
    }
    return Case(
        kind="serve",
        label=f"serve/{backend}/{name}/{precision}/{label}/{workload['name']}",
        settings=settings,
    )


def call_case(name: str, *, unit: str | None = None) -> Case:
    """Return the case of a Python callable: known by its name, never by its source."""
    settings = {
        "backend": None,
        "model": None,
        "precision": None,
        "batch_size": None,
        "name": name,
        "unit": unit,
    }
    return Case(kind="call", label=name, settings=settings)
