"""The backend against the stand-in: tokens, times, counts, sampling."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.backends.tensorrt_llm.backend import _params
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]
Generate = Callable[..., list[Request]]

PROMPTS = ("A vaccine sho", "Water")
#: What the chain goes on with to the end of a sequence.
ENDING = "many progr"


def test_requests_of_a_batch_run_in_one_step(load: Load, generate: Generate) -> None:
    """Four requests share every step, and each has exactly the tokens that were asked for."""
    backend, _ = load()
    found = generate(backend, Workload(output_tokens=8), 4)

    assert [len(r.token_ids) for r in found] == [r.reported_tokens for r in found] == [8] * 4
    assert [r.batch for r in found] == [4] * 4
    assert all(len(r.token_times_s) == 8 for r in found)


def test_a_batch_beyond_the_limit_runs_in_parts(load: Load, generate: Generate) -> None:
    """With `max_batch_size` 2 the batch observed is 2, whatever was sent."""
    backend, _ = load(max_batch_size=2)

    assert {r.batch for r in generate(backend, Workload(output_tokens=8), 4)} == {2}


def test_times_are_in_order(load: Load, generate: Generate) -> None:
    """Sent, each token, done; the wait in the queue is within."""
    backend, _ = load()
    for r in generate(backend, Workload(output_tokens=8), 3):
        assert all(before <= after for before, after in pairwise([r.sent_s, *r.token_times_s]))
        assert r.token_times_s[-1] == r.done_s
        assert r.queue_s is not None
        assert 0 <= r.queue_s <= r.done_s - r.sent_s
        assert (r.preemptions, r.kv_cache_share) == (None, None)


def test_several_tokens_of_one_event_share_its_time(load: Load, generate: Generate) -> None:
    """With an interval of 4 there are two times for eight tokens, and all are counted."""
    backend, _ = load(stream_interval=4)
    (found,) = generate(backend, Workload(output_tokens=8, prompts=PROMPTS[:1]), 1)

    assert len(found.token_ids) == len(found.token_times_s) == 8
    assert [found.token_times_s.count(t) for t in sorted(set(found.token_times_s))] == [4, 4]


def test_without_streaming_there_is_one_time(load: Load, generate: Generate) -> None:
    """The tokens are the same, and when each was there is not known."""
    backend, _ = load()
    asked = Workload(output_tokens=8, prompts=PROMPTS)
    streamed = generate(backend, asked, 2)
    found = generate(backend, Workload(output_tokens=8, prompts=PROMPTS, streaming=False), 2)

    assert [r.token_ids for r in found] == [r.token_ids for r in streamed]
    assert [r.token_times_s for r in found] == [[], []]
    assert all(r.done_s > r.sent_s for r in found)


def test_an_end_is_the_last_token(load: Load, generate: Generate) -> None:
    """Where the end of a sequence counts, it is output, and text ends before it."""
    backend, _ = load()
    (found,) = generate(
        backend, Workload(output_tokens=200, prompts=(ENDING,), ignore_eos=False), 1
    )

    assert found.token_ids == [*map(ord, "ams."), 0]
    assert backend.decode(found.token_ids) == "ams."


def test_a_least_length_holds_the_end_back(load: Load, generate: Generate) -> None:
    """`min_output_tokens` is the library's `min_tokens`."""
    backend, _ = load()
    asked = Workload(output_tokens=200, prompts=(ENDING,), ignore_eos=False, min_output_tokens=50)

    assert len(generate(backend, asked, 1)[0].token_ids) >= 50


def test_greedy_is_no_temperature(model: Path) -> None:
    """0 is not what the library documents; without any of the three it takes the likeliest."""
    greedy = _params(Workload(temperature=0.0, top_p=1.0), 3)

    assert (greedy.temperature, greedy.top_k, greedy.top_p, greedy.seed) == (None,) * 4
    assert (greedy.max_tokens, greedy.ignore_eos, greedy.detokenize) == (64, True, False)
    assert greedy.return_perf_metrics


def test_a_temperature_comes_with_all_that_it_needs(model: Path) -> None:
    """Early releases take no notice of it without `top_p`; each row has a seed of its own."""
    drawn = _params(Workload(temperature=0.7, top_p=1.0, seed=10), 3)

    assert (drawn.temperature, drawn.top_k, drawn.top_p, drawn.seed) == (0.7, None, 1.0, 13)


def test_the_same_seed_draws_the_same(load: Load, generate: Generate) -> None:
    """Rows differ from each other, and a second run from none of them."""
    backend, _ = load()
    asked = Workload(output_tokens=24, prompts=("Water",), temperature=1.0)
    first, second = (generate(backend, asked, 2) for _ in range(2))

    assert [r.token_ids for r in first] == [r.token_ids for r in second]
    assert first[0].token_ids != first[1].token_ids


@pytest.mark.parametrize(("is_reused", "cached"), [(False, [0, 0]), (True, [0, 32])])
def test_what_is_cached_is_told(
    load: Load, generate: Generate, is_reused: bool, cached: list[int]
) -> None:
    """Blocks of an earlier prompt are reused only where that was asked for."""
    backend, _ = load(enable_block_reuse=is_reused)
    asked = Workload(output_tokens=2, prompts=("Water is what most of a body is made of",))

    assert [generate(backend, asked, 1)[0].cached_tokens for _ in range(2)] == cached


def test_a_prompt_beyond_the_context_is_refused(load: Load) -> None:
    """Before anything is sent, with both lengths."""
    backend, _ = load()
    with pytest.raises(LemError, match=r"has 300 tokens and 8 are to follow, .* 256") as caught:
        backend.prepare(Workload(input_tokens=300, output_tokens=8), 1)

    assert caught.value.kind is FailureKind.DATA


def test_a_prompt_beyond_a_step_is_refused(load: Load, generate: Generate) -> None:
    """The engine would refuse it at work; in parts it goes."""
    asked = Workload(input_tokens=20, output_tokens=4)
    with pytest.raises(LemError, match="a prompt has 20 tokens and a step takes 16") as caught:
        load(max_num_tokens=16)[0].prepare(asked, 1)

    assert caught.value.kind is FailureKind.DATA
    backend, _ = load(max_num_tokens=16, enable_chunked_prefill=True)
    assert generate(backend, asked, 1)[0].output_tokens == 4


def test_one_request_that_fails_ends_the_batch(load: Load, generate: Generate) -> None:
    """The others are given up, and the error says what the engine said."""
    backend, _ = load()
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        generate(backend, Workload(output_tokens=8, prompts=("Water", "OOM")), 2)


def test_a_worker_that_dies_is_told_at_once(load: Load, generate: Generate) -> None:
    """The library lets whoever waits wait on; later requests are refused too."""
    backend, _ = load(tensor_parallel_size=2)
    for prompt in ("DIE", "Water"):
        with pytest.raises(LemError, match=r"a worker of TensorRT-LLM \(process \d+\)") as caught:
            generate(backend, Workload(output_tokens=8, prompts=(prompt,)), 1)
        assert caught.value.kind is FailureKind.ENGINE
