"""From texts to token ids and back, the same for every backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload


class Tokenizer(Protocol):
    """What is needed of a tokenizer."""

    @property
    def has_chat_template(self) -> bool:
        """Tell whether prompts can be wrapped in a chat template."""

    def in_chat(self, text: str) -> str:
        """Return a text as the only message of a chat, up to where the answer begins."""

    def encode(self, text: str, *, has_special: bool) -> list[int]:
        """Return the ids of a text; `has_special` adds what begins and ends a plain one."""


class HuggingFaceTokenizer:
    """A tokenizer of transformers."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @property
    def has_chat_template(self) -> bool:
        """Tell whether there is a chat template."""
        return self._tokenizer.chat_template is not None

    def in_chat(self, text: str) -> str:
        """Return the chat as text."""
        return str(
            self._tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
        )

    def encode(self, text: str, *, has_special: bool) -> list[int]:
        """Return the ids."""
        return list(self._tokenizer(text, add_special_tokens=has_special)["input_ids"])


def prompts_of(
    tokenizer: Tokenizer, prompts: Sequence[Prompt], workload: Workload, context: int | None
) -> list[list[int]]:
    """Return the ids of prompts, each repeated and cut to its length where it has one.

    Raises LemError (`data`) for a prompt without tokens, one that does not fit into the context
    together with its output, and a chat without a template.
    """
    rows = [_ids(tokenizer, prompt, workload) for prompt in prompts]
    for number, row in enumerate(rows, 1):
        if context is not None and len(row) + workload.output_tokens > context:
            raise _data(
                f"prompt {number} has {len(row)} tokens and {workload.output_tokens} are to "
                f"follow, but the context holds {context}; shorten the prompt or "
                "`workload.output_tokens`"
            )
    return rows


def up_to_eos(ids: list[int], eos_ids: frozenset[int]) -> list[int]:
    """Return ids up to and with the first end of sequence; what follows is padding."""
    for index, token in enumerate(ids):
        if token in eos_ids:
            return ids[: index + 1]
    return ids


def _ids(tokenizer: Tokenizer, prompt: Prompt, workload: Workload) -> list[int]:
    is_chat = tokenizer.has_chat_template if workload.chat is None else workload.chat
    if is_chat and not tokenizer.has_chat_template:
        raise _data("this model has no chat template; set `workload.chat` to false or null")
    text = tokenizer.in_chat(prompt.text) if is_chat else prompt.text
    ids = tokenizer.encode(text, has_special=not is_chat)
    if not ids:
        raise _data("a prompt has no tokens at all; take empty texts out of `workload.prompts`")
    wanted = prompt.tokens
    return (ids * (wanted // len(ids) + 1))[:wanted] if wanted else ids


def _data(sentence: str) -> LemError:
    return LemError(sentence, kind=FailureKind.DATA)
