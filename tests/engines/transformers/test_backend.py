"""The transformers backend against the live library."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor.config

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.quality import QUALITY_TEXT
from pytest_lem.workloads.workload import Workload

#: What the tiny model's context holds.
CONTEXT = 192

Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]

CHAT = ("What is the capital of France?", "Why do we have leap years? Answer in one sentence.")


def generate(backend: TransformersBackend, workload: Workload, batch_size: int) -> list[Request]:
    """Run a workload once."""
    prepared = backend.prepare(workload, batch_size)
    return [r for batch in prepared.batches for r in backend.requests(backend.run(batch))]


def _graphs() -> int:
    """Return how many graphs were compiled in this process."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


@pytest.fixture(scope="module")
def demo_backend(load: Load, demo: Path) -> TransformersBackend:
    """Return the demo model, loaded."""
    return load(demo)[0]


@pytest.fixture
def tiny(load: Load, tiny_model: Path) -> TransformersBackend:
    """Return the tiny model, loaded."""
    return load(tiny_model)[0]


def test_generates_sensible_text(load: Load, demo_backend: TransformersBackend) -> None:
    """The demo model answers a simple question, and the text ends at its end of sequence."""
    workload = Workload(prompts=CHAT[:1], output_tokens=16)

    request = generate(demo_backend, workload, 1)[0]

    assert demo_backend.decode(request.token_ids) == "The capital of France is Paris."


def test_a_text_is_scored_by_what_the_model_says_of_each_token(
    demo_backend: TransformersBackend,
) -> None:
    """The same as its own loss on that text; English is likelier than the same words shuffled."""
    words = QUALITY_TEXT.split()
    score = demo_backend.score(QUALITY_TEXT)
    given = demo_backend._tokenizer(QUALITY_TEXT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        loss = demo_backend._model(given, labels=given).loss.item()
    assert score.tokens == given.shape[1] - 1 > 300
    assert score.nats / score.tokens == pytest.approx(loss, rel=1e-4)
    shuffled = demo_backend.score(" ".join(sorted(words)))
    assert shuffled.nats / shuffled.tokens > 1.3 * loss


def test_a_text_is_cut_to_the_context(tiny: TransformersBackend) -> None:
    """The model is asked for no more than it was made for."""
    assert tiny.score(QUALITY_TEXT).tokens == CONTEXT - 1


def test_a_batch_generates_what_its_rows_generate_alone(
    load: Load, demo_backend: TransformersBackend
) -> None:
    """Left padding changes no token: each row of a batch equals the same prompt alone."""
    workload = Workload(prompts=CHAT, output_tokens=12)

    together = generate(demo_backend, workload, 2)
    alone = [generate(demo_backend, Workload(prompts=(p,), output_tokens=12), 1)[0] for p in CHAT]

    assert [r.token_ids for r in together] == [r.token_ids for r in alone]
    assert [r.input_tokens for r in together] == [r.input_tokens for r in alone]


def test_tokens_after_the_end_of_sequence_are_not_output(
    load: Load,
    demo_backend: TransformersBackend,
) -> None:
    """A row that ends early counts up to its own end, however long its neighbour goes on."""
    workload = Workload(prompts=CHAT, output_tokens=24, ignore_eos=False)

    short, long = generate(demo_backend, workload, 2)

    eos = demo_backend._tokenizer.eos_token_id
    assert short.token_ids.index(eos) == len(short.token_ids) - 1
    assert len(short.token_ids) == len(short.token_times_s) < len(long.token_ids)
    assert short.done_s == short.token_times_s[-1] < long.done_s


def test_ignoring_the_end_gives_exactly_what_was_asked(
    load: Load, demo_backend: TransformersBackend
) -> None:
    """With `ignore_eos` the same question runs on to the last token."""
    request = generate(demo_backend, Workload(prompts=CHAT[:1], output_tokens=24), 1)[0]

    assert len(request.token_ids) == request.reported_tokens == 24


def test_every_token_has_its_time(load: Load, tiny: TransformersBackend) -> None:
    """Stamps increase strictly, between the sending and the end of the request."""
    request = generate(tiny, Workload(output_tokens=8), 1)[0]

    times = [request.sent_s, *request.token_times_s]
    assert len(request.token_times_s) == 8
    assert all(before < after for before, after in pairwise(times))


def test_without_streaming_there_are_no_times(load: Load, tiny: TransformersBackend) -> None:
    """`streaming: false` takes no stamps and still counts the tokens."""
    request = generate(tiny, Workload(output_tokens=8, streaming=False), 1)[0]

    assert request.token_times_s == []
    assert len(request.token_ids) == request.reported_tokens == 8


def test_sampling_follows_the_seed(load: Load, tiny: TransformersBackend) -> None:
    """One seed gives one text, another seed another, and neither is the greedy one."""

    def sampled(seed: int) -> list[int]:
        workload = Workload(output_tokens=16, temperature=1.0, top_p=0.95, seed=seed)
        return generate(tiny, workload, 1)[0].token_ids

    assert sampled(1) == sampled(1) != sampled(2)
    assert sampled(1) != generate(tiny, Workload(output_tokens=16), 1)[0].token_ids


def test_top_p_reaches_the_sampler(load: Load, tiny: TransformersBackend) -> None:
    """A nucleus that holds one token is greedy."""
    narrow = Workload(output_tokens=8, temperature=1.0, top_p=1e-6)

    assert generate(tiny, narrow, 1)[0].token_ids == (
        generate(tiny, Workload(output_tokens=8), 1)[0].token_ids
    )


def test_fewest_tokens_are_generated(load: Load, demo_backend: TransformersBackend) -> None:
    """`min_output_tokens` holds back the end of the sequence."""
    question = {"prompts": CHAT[:1], "output_tokens": 24, "ignore_eos": False}
    free = generate(demo_backend, Workload(**question), 1)[0]

    held = generate(demo_backend, Workload(**question, min_output_tokens=16), 1)[0]

    assert len(free.token_ids) < 16 <= len(held.token_ids)


def test_prompts_are_cut_to_length(load: Load, tiny: TransformersBackend) -> None:
    """`input_tokens` repeats and cuts each prompt to the token."""
    prepared = tiny.prepare(Workload(input_tokens=33, output_tokens=1), 2)

    assert (prepared.input_tokens, prepared.requests) == (66, 2)
    assert prepared.batches[0].lengths == [33, 33]


def test_chat_template_can_be_left_out(load: Load, tiny: TransformersBackend) -> None:
    """Without the template a prompt is shorter by it."""
    wrapped = tiny.prepare(Workload(prompts=("Hello",)), 1).input_tokens
    bare = tiny.prepare(Workload(prompts=("Hello",), chat=False), 1).input_tokens

    assert bare < wrapped


def test_chat_without_a_template_is_refused(load: Load, tiny_model: Path, tmp_path: Path) -> None:
    """Asking for a template that the tokenizer lacks is one sentence, not a traceback."""
    bare = shutil.copytree(tiny_model, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    backend, _ = load(bare)

    with pytest.raises(LemError, match=r"no chat template; set `workload.chat` to false") as caught:
        backend.prepare(Workload(chat=True), 1)

    assert caught.value.kind is FailureKind.DATA


def test_a_prompt_beyond_the_context_is_refused(load: Load, tiny: TransformersBackend) -> None:
    """The sentence has the prompt's number, its tokens and the size of the context."""
    workload = Workload(prompts=("Hi", "word " * CONTEXT), output_tokens=8, chat=False)

    with pytest.raises(LemError, match=rf"prompt 2 has \d+ tokens and 8 .* holds {CONTEXT};"):
        tiny.prepare(workload, 2)


def test_a_static_cache_has_the_length_of_its_workload(load: Load, tiny_model: Path) -> None:
    """What ran before on the same host does not leave a longer cache, and more work, behind."""
    backend, _ = load(tiny_model, cache_implementation="static")
    generate(backend, Workload(input_tokens=64, output_tokens=16), 1)

    generate(backend, Workload(input_tokens=8, output_tokens=4), 1)

    assert backend._model._previous_max_cache_length == 8 + 4 - 1


def test_nothing_is_compiled_while_a_batch_runs(load: Load, tiny_model: Path) -> None:
    """Each workload is compiled for its own shapes, when it is prepared, and its tokens stay."""
    smaller = {"cache_implementation": "static", "model_kwargs": {"num_hidden_layers": 1}}
    backend, _ = load(tiny_model, torch_compile=True, **smaller)
    plain, _ = load(tiny_model, **smaller)
    for workload in (Workload(output_tokens=4), Workload(output_tokens=6)):
        before = _graphs()
        (batch,) = backend.prepare(workload, 1).batches
        after = _graphs()

        (request,) = backend.requests(backend.run(batch))

        assert before < after == _graphs()
        assert request.token_ids == generate(plain, workload, 1)[0].token_ids


def test_compiling_without_a_compiler_is_refused(load: Load, tiny_model: Path) -> None:
    """It never falls back to what was not asked for, and the sentence says what to leave out."""
    lacking = {"cpp.cxx": (None, "no-such-compiler"), "force_disable_caches": True}
    backend, _ = load(tiny_model, device="cpu", torch_compile=True, cache_implementation="static")

    with (
        torch._inductor.config.patch(lacking),
        pytest.raises(LemError, match=r"C\+\+ compiler.*; .* leave `torch_compile` out") as caught,
    ):
        backend.prepare(Workload(output_tokens=2), 1)

    assert caught.value.kind is FailureKind.CONFIG


def test_the_hash_is_that_of_the_content(load: Load, tiny_model: Path, tmp_path: Path) -> None:
    """A copy has the same hash; another tokenizer gives another one."""
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    first, same = load(tiny_model)[1], load(copy)[1]
    (copy / "tokenizer_config.json").write_text(
        (copy / "tokenizer_config.json").read_text().rstrip()[:-1] + ', "note": 1}'
    )

    assert first["model_sha256"] == same["model_sha256"] != load(copy)[1]["model_sha256"]
