"""The workload of an `infer` case: prompts, lengths and decoding.

Imports the standard library only, because the host process uses it under any interpreter.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.prompts import DEFAULT_PROMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one repetition asks of the model. Fields are described in `config.workload`.

    `prompt_tokens` are the exact lengths of the prompts, where a dataset gives each its own.
    """

    name: str = "default"
    prompts: tuple[str, ...] = DEFAULT_PROMPTS
    prompt_tokens: tuple[int | None, ...] | None = None
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
        prompts, tokens = fields.get("prompts"), fields.get("prompt_tokens")
        return cls(
            **{
                **fields,
                "prompts": tuple(prompts) if prompts else DEFAULT_PROMPTS,
                "prompt_tokens": tuple(tokens) if tokens else None,
            }
        )

    def plain(self) -> dict[str, Any]:
        """Return the workload as plain JSON."""
        tokens = self.prompt_tokens and list(self.prompt_tokens)
        return {**asdict(self), "prompts": list(self.prompts), "prompt_tokens": tokens}

    def batches(self, batch_size: int) -> list[list[Prompt]]:
        """Return the prompts of one repetition in batches; prompts repeat when they run out."""
        count = self.requests or batch_size
        lengths = self.prompt_tokens or (self.input_tokens,) * len(self.prompts)
        pairs = itertools.cycle(zip(self.prompts, lengths, strict=True))
        prompts = [Prompt(*pair) for pair in itertools.islice(pairs, count)]
        return [prompts[i : i + batch_size] for i in range(0, count, batch_size)]

    def canonical(self, batch_size: int) -> dict[str, Any]:
        """Return what defines the workload; the prompts really sent stand in it by their hash."""
        has_own = self.prompt_tokens is not None  # a common length stands in a field of its own
        sent = json.dumps(
            [[p if has_own else p.text for p in batch] for batch in self.batches(batch_size)],
            ensure_ascii=True,
        )
        fields = asdict(replace(self, prompts=()))
        del fields["prompts"], fields["prompt_tokens"]
        return {**fields, "prompts_sha256": hashlib.sha256(sent.encode()).hexdigest()}
