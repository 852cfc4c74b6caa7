"""From texts to token ids, the same for every backend."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.backends.tokens import prompts_of, up_to_eos
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

BEGIN, CHAT = 1, 2


@dataclass(frozen=True)
class Letters:
    """A tokenizer of letters; a plain text begins with 1, a chat with 2."""

    has_chat_template: bool = True

    def in_chat(self, text: str) -> str:
        return chr(CHAT) + text

    def encode(self, text: str, *, has_special: bool) -> list[int]:
        ids = [ord(letter) for letter in text]
        return [BEGIN, *ids] if has_special and ids else ids


def ids_of(text: str, tokenizer: Letters | None = None, **fields: object) -> list[int]:
    workload = Workload(**{"output_tokens": 4, **fields})
    (batch,) = replace(workload, prompts=(text,)).batches(1)
    return prompts_of(tokenizer or Letters(), batch, workload, context=32)[0]


def test_a_chat_is_used_where_there_is_a_template() -> None:
    """Without a word of the user the tokenizer decides; special tokens come from the template."""
    assert ids_of("a") == [CHAT, ord("a")]
    assert ids_of("a", Letters(has_chat_template=False)) == [BEGIN, ord("a")]
    assert ids_of("a", chat=False) == [BEGIN, ord("a")]


def test_a_chat_without_a_template_is_refused() -> None:
    """The sentence says which setting to change."""
    with pytest.raises(LemError, match=r"set `workload\.chat` to false"):
        ids_of("a", Letters(has_chat_template=False), chat=True)


def test_an_empty_prompt_is_refused() -> None:
    """A text without any token cannot be gone on with."""
    with pytest.raises(LemError, match="no tokens at all"):
        ids_of("", chat=False)


@given(st.text("abc", min_size=1, max_size=9), st.integers(1, 28))
def test_prompts_are_repeated_and_cut_to_the_token(text: str, wanted: int) -> None:
    """Whatever its length, a prompt gets the tokens asked for, and begins as it did."""
    whole = ids_of(text)

    cut = ids_of(text, input_tokens=wanted)

    assert len(cut) == wanted
    assert cut == (whole * wanted)[:wanted]


def test_a_prompt_and_its_output_have_to_fit_together() -> None:
    """28 tokens and 4 fill a context of 32; one more is refused, with the prompt's number."""
    workload = Workload(output_tokens=4)
    fitting, long = Prompt("x" * 27), Prompt("x" * 28)
    assert len(prompts_of(Letters(), [fitting], workload, 32)[0]) == 28

    with pytest.raises(LemError, match=r"prompt 2 has 29 tokens and 4 .* holds 32;") as caught:
        prompts_of(Letters(), [fitting, long], workload, 32)

    assert caught.value.kind is FailureKind.DATA
    assert prompts_of(Letters(), [long], workload, None)


@given(st.lists(st.integers(0, 9)))
def test_ids_end_with_the_first_end_of_sequence(ids: list[int]) -> None:
    """What follows it is cut; without an end nothing is."""
    cut = up_to_eos(ids, frozenset({7, 8}))

    assert ids[: len(cut)] == cut
    assert not {7, 8} & set(cut[:-1])
    assert cut == ids or cut[-1] in {7, 8}
