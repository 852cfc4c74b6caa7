"""The tokenizer of a model, as llama.cpp's server offers it."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.backends.llama_cpp.engine import Engine

#: llama.cpp's own number for no token: one whose id the server did not tell.
UNTOLD = -1


class ServerTokenizer:
    """Turns texts into ids and back; tokens in `control_ids` are no text."""

    def __init__(
        self, engine: Engine, *, has_chat_template: bool, control_ids: frozenset[int]
    ) -> None:
        self._engine = engine
        self._has_chat_template = has_chat_template
        self._no_text = control_ids | {UNTOLD}

    @property
    def has_chat_template(self) -> bool:
        """Tell whether the model brings a template; without one llama.cpp would take another's."""
        return self._has_chat_template

    def in_chat(self, text: str) -> str:
        """Return the chat as text."""
        messages = [{"role": "user", "content": text}]
        return str(self._engine.ask("/apply-template", {"messages": messages})["prompt"])

    def encode(self, text: str, *, has_special: bool) -> list[int]:  # noqa: ARG002
        """Return the ids.

        What begins a text is added to chats as well, since llama.cpp takes it out of their
        template and leaves it to the tokenizer.
        """
        return self._ids(text, add_special=True)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text."""
        tokens = [token for token in ids if token not in self._no_text]
        return str(self._engine.ask("/detokenize", {"tokens": tokens})["content"])

    def ids_of_part(self, text: str, *, count: int, last: int) -> list[int]:
        """Return the ids of a part of an output, of which the server told only the last.

        It holds tokens back while they are bytes of an unfinished character. Their ids are those
        of the tokenizer for the same text, if they are as many and end the same; else unknown.
        """
        if count == 1:
            return [last]
        ids = self._ids(text, add_special=False)
        return ids if len(ids) == count and ids[-1] == last else [UNTOLD] * (count - 1) + [last]

    def _ids(self, text: str, *, add_special: bool) -> list[int]:
        body = {"content": text, "add_special": add_special}
        return list(self._engine.ask("/tokenize", body)["tokens"])
