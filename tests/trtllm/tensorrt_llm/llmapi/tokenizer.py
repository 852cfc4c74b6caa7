"""Characters by their code points. 0 is the end of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EOS = 0


class CharacterTokenizer:
    """A tokenizer as transformers has them."""

    eos_token_id = pad_token_id = EOS
    chat_template = "the text as it is"

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> dict[str, Any]:
        """Return the ids of a text."""
        return {"input_ids": [min(ord(character), 127) for character in text]}

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> str:
        """Return the last message."""
        return messages[-1]["content"]

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text of ids."""
        return "".join(chr(i) for i in token_ids if not (skip_special_tokens and i == EOS))


class TransformersTokenizer:
    """The wrapper around it that `LLM.tokenizer` is."""

    def __init__(self, tokenizer: CharacterTokenizer) -> None:
        self.tokenizer = tokenizer
