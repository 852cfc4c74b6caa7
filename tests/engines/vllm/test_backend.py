"""The vLLM backend against the live engine: tokens, times, counts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.vllm import VllmBackend
from pytest_lem.errors import LemError
from pytest_lem.workloads.workload import Workload

CHAT = ("What is the capital of France?", "Why do we have leap years? Answer in one sentence.")
#: What the tiny model's context holds.
CONTEXT = 256

Load = Callable[..., tuple[VllmBackend, dict[str, Any]]]


def generate(backend: VllmBackend, workload: Workload, batch_size: int) -> list[Request]:
    """Run a workload once."""
    prepared = backend.prepare(workload, batch_size)
    return [r for batch in prepared.batches for r in backend.requests(backend.run(batch))]


@pytest.fixture(scope="module")
def demo_backend(load: Load, demo: Path) -> VllmBackend:
    """Return the demo model in a running engine."""
    return load(demo, max_model_len=512)[0]


@pytest.fixture(scope="module")
def tiny(load: Load) -> VllmBackend:
    """Return the tiny model in a running engine."""
    return load()[0]


def test_generates_sensible_text(demo_backend: VllmBackend) -> None:
    """The demo model answers a simple question, and the text ends at its end of sequence."""
    request = generate(demo_backend, Workload(prompts=CHAT[:1], output_tokens=12), 1)[0]

    assert demo_backend.decode(request.token_ids) == "The capital of France is Paris."


def test_requests_of_a_batch_run_in_one_step(tiny: VllmBackend) -> None:
    """Four requests share every step, and each has exactly the tokens that were asked for."""
    found = generate(tiny, Workload(output_tokens=8), 4)

    assert [len(r.token_ids) for r in found] == [r.reported_tokens for r in found] == [8] * 4
    assert [r.batch for r in found] == [4] * 4
    assert len({time_s for r in found for time_s in r.token_times_s}) == 8


def test_a_batch_beyond_the_limit_runs_in_parts(load: Load) -> None:
    """With `max_num_seqs` 2 the batch observed is 2, whatever was sent."""
    backend, _ = load(max_num_seqs=2)

    found = generate(backend, Workload(output_tokens=6), 4)

    assert [r.batch for r in found] == [2] * 4
    assert sum(r.queue_s > 0.0001 for r in found) >= 2


def test_every_token_has_its_time(tiny: VllmBackend) -> None:
    """Stamps increase strictly, between the sending and the end of the request."""
    request = generate(tiny, Workload(output_tokens=8), 1)[0]

    times = [request.sent_s, *request.token_times_s]
    assert len(request.token_times_s) == 8
    assert all(before < after for before, after in pairwise(times))
    assert request.done_s == request.token_times_s[-1]


def test_without_streaming_there_are_no_times(tiny: VllmBackend) -> None:
    """`streaming: false` takes no stamps, and still counts tokens and requests in a step."""
    found = generate(tiny, Workload(output_tokens=8, streaming=False), 4)

    assert [r.token_times_s for r in found] == [[]] * 4
    assert [(len(r.token_ids), r.reported_tokens, r.batch) for r in found] == [(8, 8, 4)] * 4


def test_one_token_is_one_step(tiny: VllmBackend) -> None:
    """Requests of a single token, which the prefill makes, count as a batch too."""
    found = generate(tiny, Workload(output_tokens=1), 4)

    assert [(len(r.token_ids), r.batch) for r in found] == [(1, 4)] * 4


def test_a_request_ends_at_its_own_end(demo_backend: VllmBackend) -> None:
    """A request that ends early counts up to its end of sequence, and is done then."""
    workload = Workload(prompts=CHAT, output_tokens=24, ignore_eos=False)

    short, long = generate(demo_backend, workload, 2)

    eos = demo_backend._engine.tokenizer.eos_token_id
    assert short.token_ids.index(eos) == len(short.token_ids) - 1
    assert len(short.token_ids) == len(short.token_times_s) < len(long.token_ids)
    assert short.done_s < long.done_s


def test_fewest_tokens_are_generated(demo_backend: VllmBackend) -> None:
    """`min_output_tokens` holds back the end of the sequence."""
    question = {"prompts": CHAT[:1], "output_tokens": 24, "ignore_eos": False}
    free = generate(demo_backend, Workload(**question), 1)[0]

    held = generate(demo_backend, Workload(**question, min_output_tokens=16), 1)[0]

    assert len(free.token_ids) < 16 <= len(held.token_ids)


def test_sampling_follows_the_seed(tiny: VllmBackend) -> None:
    """One seed gives one text, another seed another, and rows of a batch draw for themselves."""

    def sampled(seed: int) -> list[list[int]]:
        workload = Workload(prompts=CHAT[:1], output_tokens=16, temperature=1.0, seed=seed)
        return [r.token_ids for r in generate(tiny, workload, 2)]

    assert sampled(1) == sampled(1) != sampled(9)
    assert sampled(1)[0] != sampled(1)[1]


def test_top_p_reaches_the_sampler(tiny: VllmBackend) -> None:
    """A nucleus that holds one token is greedy."""
    narrow = Workload(output_tokens=8, temperature=1.0, top_p=1e-6)

    assert generate(tiny, narrow, 1)[0].token_ids == (
        generate(tiny, Workload(output_tokens=8), 1)[0].token_ids
    )


def test_prompts_are_computed_anew_unless_asked(load: Load) -> None:
    """Without prefix caching nothing of a repeated prompt is cached; with it, whole blocks are."""
    workload = Workload(prompts=CHAT[:1], input_tokens=100, output_tokens=2)
    cached = []
    for is_on in (False, True):
        backend, _ = load(enable_prefix_caching=is_on, block_size=32)
        cached.append([generate(backend, workload, 1)[0].cached_tokens for _ in range(2)])

    assert cached == [[0, 0], [0, 96]]


def test_the_cache_is_as_full_as_its_blocks(load: Load) -> None:
    """The share of the KV cache follows from the blocks that the requests take."""
    backend, applied = load(block_size=32)

    found = generate(backend, Workload(input_tokens=40, output_tokens=4), 2)

    # Two requests of two blocks each; the first block of the pool belongs to vLLM.
    share = 4 / (applied["kv_cache_blocks"] - 1)
    assert [r.kv_cache_share for r in found] == [pytest.approx(share)] * 2


def test_a_prompt_beyond_the_longest_sequence_is_refused(load: Load, tiny: VllmBackend) -> None:
    """The sentence has the prompt's number, its tokens and the limit."""
    workload = Workload(prompts=("Hi", "word " * CONTEXT), output_tokens=8, chat=False)

    with pytest.raises(LemError, match=rf"prompt 2 has \d+ tokens and 8 .* holds {CONTEXT};"):
        tiny.prepare(workload, 2)


def test_the_ledger_has_weights_compilation_and_capture(load: Load) -> None:
    """The parts of a load follow each other without overlap."""
    _, applied = load()

    spans = applied["spans"]
    assert [span["name"] for span in spans] == ["weights", "compile", "capture"]
    assert all(a["end_s"] <= b["start_s"] for a, b in pairwise(spans))


def test_remote_code_is_off_unless_asked(load: Load, tiny_model: Path, tmp_path: Path) -> None:
    """A model that brings code of its own is refused, and its code has not run."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    ran = tmp_path / "ran"
    (model / "own.py").write_text(f"open({str(ran)!r}, 'w')\n")
    text = (model / "config.json").read_text().replace('"model_type": "llama"', '"model_type": "x"')
    automatic = '{"auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"},'
    (model / "config.json").write_text(automatic + text.lstrip()[1:])

    with pytest.raises(LemError, match="contains custom code"):
        load(model)

    assert not ran.exists()
