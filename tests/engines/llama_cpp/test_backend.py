"""The llama.cpp backend against the live engine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.backends.protocol import Request
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.workload import Workload

#: What the fixture `demo` has as the context of a request.
CONTEXT = 256
#: A question whose answer is short, and one whose answer is not.
CHAT = ("Hi", "Why do we have leap years? Answer in one sentence.")
#: The beginnings of texts, for which no chat template is needed.
TEXTS = ("The capital of France is", "Once upon a time", "Water boils at", "The opposite of hot is")

Load = Callable[..., tuple[LlamaCppBackend, dict[str, Any]]]
Generate = Callable[..., list[Request]]


def test_generates_sensible_text(demo: LlamaCppBackend, generate: Generate) -> None:
    """The demo model goes on with a text as one expects."""
    request = generate(demo, prompts=TEXTS[:1], chat=False, output_tokens=2)[0]

    assert demo.decode(request.token_ids) == " Paris."


def test_a_chat_is_answered_up_to_its_end(demo: LlamaCppBackend, generate: Generate) -> None:
    """A row that ends early counts up to its own end, however long its neighbour goes on."""
    short, long = generate(demo, 2, prompts=CHAT, output_tokens=16, ignore_eos=False)

    end = demo._engine.ask("/props")["eos_token"]
    assert demo._tokenizer._ids(end, add_special=False) == short.token_ids[-1:]
    assert demo.decode(short.token_ids) == "Hello! How can I assist you today?"
    assert len(short.token_ids) == len(short.token_times_s) == short.reported_tokens
    assert len(short.token_ids) < len(long.token_ids) == 16
    assert short.done_s < long.token_times_s[-1]


def test_ignoring_the_end_gives_exactly_what_was_asked(
    demo: LlamaCppBackend, generate: Generate
) -> None:
    """With `ignore_eos` the same chat runs on to the last token."""
    request = generate(demo, prompts=CHAT[:1], output_tokens=16)[0]

    assert len(request.token_ids) == request.reported_tokens == 16


def test_a_batch_has_its_rows_in_order(demo: LlamaCppBackend, generate: Generate) -> None:
    """Every prompt has its own row: counts, tokens and stamps are those of that prompt."""
    asked = {"chat": False, "output_tokens": 6}

    together = generate(demo, 4, prompts=TEXTS, **asked)
    alone = [generate(demo, prompts=(text,), **asked)[0] for text in TEXTS]

    assert [r.input_tokens for r in together] == [r.input_tokens for r in alone]
    assert len({r.input_tokens for r in together}) > 1
    assert [len(r.token_ids) for r in together] == [6] * 4
    # Sums of another order may turn near ties later on, so only the beginnings are alike.
    assert [r.token_ids[0] for r in together] == [r.token_ids[0] for r in alone]
    assert [r.batch for r in together] == [4] * 4
    assert [r.batch for r in alone] == [1] * 4


def test_requests_beyond_a_batch_follow_it(demo: LlamaCppBackend) -> None:
    """A workload of more requests than fit into a batch makes several."""
    prepared = demo.prepare(Workload(prompts=TEXTS, chat=False, requests=5), 2)

    assert [batch.rows for batch in prepared.batches] == [2, 2, 1]
    assert prepared.requests == 5


def test_every_token_has_its_time(demo: LlamaCppBackend, generate: Generate) -> None:
    """Stamps increase strictly, between the sending and the end of each request."""
    for request in generate(demo, 4, prompts=TEXTS, chat=False, output_tokens=6):
        begun_s = request.sent_s + request.queue_s
        times_s = [request.sent_s, begun_s, *request.token_times_s, request.done_s]
        assert len(request.token_times_s) == 6
        assert all(before < after for before, after in pairwise(times_s))


def test_without_streaming_there_are_no_times(demo: LlamaCppBackend, generate: Generate) -> None:
    """`streaming: false` takes no stamps; tokens, counts and the batch are known all the same."""
    asked = {"prompts": TEXTS, "chat": False, "output_tokens": 6}

    plain, stamped = (generate(demo, 4, **asked, streaming=flag) for flag in (False, True))

    assert [r.token_times_s for r in plain] == [[]] * 4
    assert {r.queue_s for r in plain} == {None}
    assert {r.done_s for r in plain} == {plain[0].done_s}
    for request, other in zip(plain, stamped, strict=True):
        assert (request.token_ids, request.batch) == (other.token_ids, other.batch)


def test_sampling_follows_the_seed(demo: LlamaCppBackend, generate: Generate) -> None:
    """One seed gives one text, another seed another, and neither is the greedy one."""
    asked = {"prompts": TEXTS[1:2], "chat": False, "output_tokens": 12}

    def sampled(seed: int) -> list[int]:
        return generate(demo, temperature=1.0, top_p=0.95, seed=seed, **asked)[0].token_ids

    assert sampled(1) == sampled(1) != sampled(2)
    assert sampled(1) != generate(demo, **asked)[0].token_ids


def test_the_seed_that_means_chance_is_not_sent(demo: LlamaCppBackend, generate: Generate) -> None:
    """The number for which llama.cpp draws a seed itself is as reproducible as any other."""
    asked = {"prompts": TEXTS[1:2], "chat": False, "output_tokens": 12, "temperature": 1.0}

    first, again = (generate(demo, **asked, seed=2**32 - 1)[0] for _ in range(2))

    assert first.token_ids == again.token_ids


def test_top_p_reaches_the_sampler(demo: LlamaCppBackend, generate: Generate) -> None:
    """A nucleus that holds one token is greedy."""
    asked = {"prompts": TEXTS[1:2], "chat": False, "output_tokens": 8}

    narrow = generate(demo, temperature=1.0, top_p=1e-6, **asked)[0]

    assert narrow.token_ids == generate(demo, **asked)[0].token_ids


@pytest.mark.parametrize(
    ("sampling", "chain"),
    [({"temperature": 0.0}, "temp-ext -> greedy"),
     ({"temperature": 0.7, "top_p": 0.9}, "temp-ext -> top-p -> dist")],
    ids=["greedy", "sampled"],
)  # fmt: skip
def test_no_other_sampler_takes_part(
    load: Load,
    generate: Generate,
    capfd: pytest.CaptureFixture[str],
    sampling: dict[str, float],
    chain: str,
) -> None:
    """The engine's own account of its chain has what was asked for, in the usual order."""
    backend, _ = load()

    generate(backend, prompts=TEXTS[:1], chat=False, output_tokens=1, **sampling)
    del backend  # its end waits until all is printed

    expected = f"sampler chain: logits -> logit-bias -> {chain} \n"
    assert expected in capfd.readouterr().err


def test_prompts_are_cut_to_length(demo: LlamaCppBackend, generate: Generate) -> None:
    """`input_tokens` repeats and cuts each prompt to the token, which is what the engine counts."""
    prepared = demo.prepare(Workload(input_tokens=33, output_tokens=1), 2)
    requests = generate(demo, 2, input_tokens=33, output_tokens=1)

    assert (prepared.input_tokens, prepared.requests) == (66, 2)
    assert [r.input_tokens for r in requests] == [33, 33]


def test_one_token_is_known_to_have_run_in_a_batch(
    demo: LlamaCppBackend, generate: Generate
) -> None:
    """Prefills alone, whose only tokens come one after the other, are seen to run together."""
    requests = generate(demo, 3, prompts=TEXTS, chat=False, output_tokens=1)

    assert [(r.batch, len(r.token_ids)) for r in requests] == [(3, 1)] * 3


def test_a_chat_is_what_the_server_makes_of_it(demo: LlamaCppBackend) -> None:
    """The prompt of a chat has the tokens that the server's own endpoint for chats gives it."""
    message = {"role": "user", "content": CHAT[0]}
    body = {"messages": [message], "max_tokens": 1, "verbose": True}
    theirs = demo._engine.ask("/v1/chat/completions", body)

    prepared = demo.prepare(Workload(prompts=CHAT[:1]), 1)

    assert prepared.input_tokens == theirs["usage"]["prompt_tokens"]
    assert demo._tokenizer.in_chat(CHAT[0]) == theirs["__verbose"]["prompt"]


def test_the_beginning_of_a_text_is_added_once(edited: Callable[..., Path], load: Load) -> None:
    """Where a model wants its first token, chats have it once: from the template, not twice."""
    key = b"tokenizer.ggml.add_bos_token" + (7).to_bytes(4, "little")
    backend, _ = load(edited(key + b"\0", key + b"\1"))
    first = backend._engine.ask("/props")["bos_token"]
    number = backend._tokenizer._ids(first, add_special=False)[0]

    chat = backend._tokenizer.encode(backend._tokenizer.in_chat("Hi"), has_special=False)
    text = backend._tokenizer.encode("Hi", has_special=True)

    assert chat[0] == text[0] == number
    assert chat[1] != number != text[1]


def test_chat_template_can_be_left_out(demo: LlamaCppBackend) -> None:
    """Without the template a prompt is shorter by it."""
    wrapped = demo.prepare(Workload(prompts=("Hello",)), 1).input_tokens
    bare = demo.prepare(Workload(prompts=("Hello",), chat=False), 1).input_tokens

    assert bare < wrapped


def test_chat_without_a_template_is_refused(edited: Callable[..., Path], load: Load) -> None:
    """A model that brings no template is not given llama.cpp's own."""
    backend, _ = load(edited(b"tokenizer.chat_template", b"tokenizer.chat_templat_"))

    with pytest.raises(LemError, match=r"no chat template; set `workload.chat` to false"):
        backend.prepare(Workload(chat=True), 1)

    assert backend.prepare(Workload(prompts=("Hello",)), 1).input_tokens < 4


def test_a_prompt_beyond_the_slot_is_refused(demo: LlamaCppBackend) -> None:
    """The sentence has the prompt's number, its tokens, the context, and what to raise."""
    workload = Workload(prompts=("Hi", "word " * CONTEXT), output_tokens=8, chat=False)

    with pytest.raises(LemError, match=rf"prompt 2 has \d+ .* context of {CONTEXT}; raise"):
        demo.prepare(workload, 2)


def test_a_prompt_beyond_the_model_is_refused(demo: LlamaCppBackend) -> None:
    """What the model itself cannot hold is not answered with a setting."""
    workload = Workload(prompts=("Hi",), input_tokens=8190, output_tokens=8)

    with pytest.raises(LemError, match=r"but the context holds 8192; shorten") as caught:
        demo.prepare(workload, 1)

    assert caught.value.kind is FailureKind.DATA


def test_the_context_can_be_filled(load: Load, generate: Generate) -> None:
    """Prompt and output together may be as long as the context, in every request of a batch."""
    backend, _ = load(n_ctx=64, batch=2)

    requests = generate(backend, 2, prompts=TEXTS, input_tokens=60, output_tokens=4)

    assert [len(r.token_ids) for r in requests] == [4, 4]


def test_text_has_no_special_tokens(demo: LlamaCppBackend) -> None:
    """Tokens that are no text, and those that were not told, leave no trace."""
    hello = demo._tokenizer._ids("Hello", add_special=False)

    assert demo.decode([1, *hello, -1, 2]) == "Hello"


def test_what_the_engine_refuses_is_told(demo: LlamaCppBackend) -> None:
    """A token that the model does not have gives the engine's own reason."""
    batch = demo._batch([[10**7]], Workload(output_tokens=1))

    with pytest.raises(LemError, match=r"llama.cpp refused the request: .*invalid tok") as caught:
        demo.run(batch)

    assert caught.value.kind is FailureKind.ENGINE
