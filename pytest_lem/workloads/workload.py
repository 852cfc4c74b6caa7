"""The workload of an `infer` case: prompts, lengths and decoding.

Imports the standard library only, because the host process uses it under any interpreter.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from pytest_lem.workloads.prompts import DEFAULT_PROMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one repetition asks of the model. Fields are described in `config.models`."""

    name: str = "default"
    prompts: tuple[str, ...] = DEFAULT_PROMPTS
    input_tokens: int | None = None
    output_tokens: int = 64
    min_output_tokens: int | None = None
    ignore_eos: bool = True
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 42
    chat: bool | None = None
    streaming: bool = True
    requests: int | None = None

    @classmethod
    def from_plain(cls, fields: dict[str, Any]) -> Workload:
        """Make a workload from plain JSON; prompts left out or null mean the shipped ones."""
        prompts = fields.get("prompts")
        return cls(**{**fields, "prompts": tuple(prompts) if prompts else DEFAULT_PROMPTS})

    def plain(self) -> dict[str, Any]:
        """Return the workload as plain JSON."""
        return {**asdict(self), "prompts": list(self.prompts)}

    def batches(self, batch_size: int) -> list[list[str]]:
        """Return the prompts of one repetition in batches; prompts repeat when they run out."""
        count = self.requests or batch_size
        texts = list(itertools.islice(itertools.cycle(self.prompts), count))
        return [texts[i : i + batch_size] for i in range(0, count, batch_size)]

    def canonical(self, batch_size: int) -> dict[str, Any]:
        """Return what defines the workload; the prompts really sent stand in it by their hash."""
        sent = json.dumps(self.batches(batch_size), ensure_ascii=True)
        fields = asdict(replace(self, prompts=()))
        del fields["prompts"]
        return {**fields, "prompts_sha256": hashlib.sha256(sent.encode()).hexdigest()}
