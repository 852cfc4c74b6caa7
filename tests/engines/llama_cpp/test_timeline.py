"""Which requests ran together, and which tokens they had, from the events of the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.backends.llama_cpp.timeline import Outcome, requests_of
from pytest_lem.backends.protocol import Request
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[LlamaCppBackend, dict[str, Any]]]
Generate = Callable[..., list[Request]]

EMOJI = "Repeat: \N{EARTH GLOBE EUROPE-AFRICA}\N{PARTY POPPER}\N{SLIGHTLY SMILING FACE}"


@pytest.mark.parametrize(
    ("slots", "batches", "late"), [(1, [1, 1, 1], 2), (2, [1, 2, 2], 1), (3, [3, 3, 3], 0)]
)
def test_the_batch_is_what_ran_together(
    load: Load, generate: Generate, slots: int, batches: list[int], late: int
) -> None:
    """Requests that find no slot begin when another is done, and count in a later batch."""
    backend, _ = load(batch=slots)

    requests = generate(backend, 3, prompts=("Once upon a time",), chat=False, output_tokens=4)

    assert sorted(r.batch for r in requests) == batches
    first_done_s = min(r.done_s for r in requests)
    assert sum(r.sent_s + r.queue_s > first_done_s for r in requests) == late


def test_tokens_that_were_held_back_are_found(demo: LlamaCppBackend, generate: Generate) -> None:
    """The bytes of a character are told together; their ids are those of the tokenizer."""
    request = generate(demo, prompts=(EMOJI,), output_tokens=6)[0]

    text = demo.decode(request.token_ids)
    assert text == EMOJI.removeprefix("Repeat: ")[:2]
    assert request.token_ids == demo._tokenizer._ids(text, add_special=False)
    assert len(request.token_times_s) == 6
    assert len(set(request.token_times_s)) == 2


def test_tokens_that_are_never_told_are_counted(demo: LlamaCppBackend, generate: Generate) -> None:
    """An output that ends within a character has all its tokens, the last of unknown id."""
    request = generate(demo, prompts=(EMOJI,), output_tokens=5)[0]

    assert len(request.token_ids) == request.reported_tokens == 5
    assert request.token_ids[3:] == [-1, -1]
    assert -1 not in request.token_ids[:3]
    assert request.token_times_s[3:] == [request.done_s] * 2


def test_a_guess_that_does_not_fit_stays_unknown(demo: LlamaCppBackend) -> None:
    """If the tokenizer would split a text otherwise, only the token that was told is known."""
    tokenizer = demo._tokenizer
    ids = tokenizer._ids(EMOJI[-1], add_special=False)

    assert tokenizer.ids_of_part(EMOJI[-1], count=len(ids), last=ids[-1]) == ids
    assert tokenizer.ids_of_part(EMOJI[-1], count=len(ids) + 1, last=7) == [-1] * len(ids) + [7]
    assert tokenizer.ids_of_part(EMOJI[-1], count=len(ids), last=7) == [-1] * (len(ids) - 1) + [7]


def test_counts_of_the_engine_are_kept_apart(demo: LlamaCppBackend) -> None:
    """What the engine reports is not made from what came, so a difference can be found."""
    batch = demo.prepare(Workload(prompts=("Hi",), chat=False, output_tokens=3), 1).batches[0]
    outcome = demo.run(batch)
    last = json.loads(outcome.events[-1])
    last["__verbose"]["timings"]["predicted_n"] = 4
    events = [*outcome.events[:-1], json.dumps(last).encode()]

    request = requests_of(
        Outcome(1, events, outcome.times_s, outcome.sent_s, outcome.done_s),
        demo._tokenizer.ids_of_part,
    )[0]

    assert (len(request.token_ids), request.reported_tokens) == (3, 4)
