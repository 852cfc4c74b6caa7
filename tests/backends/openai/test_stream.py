"""From bytes to answers: streams cut anywhere, answers in one piece, and what is neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_lem.backends.openai.stream import Answer, Broken, error_in, short, streamed, whole

deterministic = settings(derandomize=True, deadline=None, max_examples=80)

USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def _chat(text: str | None, reason: str | None = None, **delta: Any) -> dict[str, Any]:
    content = {"role": "assistant", "content": text, **delta}
    return {"id": "1", "choices": [{"index": 0, "delta": content, "finish_reason": reason}]}


def _event(content: dict[str, Any] | str, end: str = "\n") -> bytes:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"data: {text}{end}{end}".encode()


def _answer(end: str = "\n") -> bytes:
    """Return a chat of three pieces as vLLM streams it: a role first, usage last."""
    parts = [_chat(""), _chat("The"), _chat(" sün"), _chat("."), _chat(None, "length")]
    events = [*parts, {"choices": [], "usage": USAGE}, "[DONE]"]
    return b"".join(_event(event, end) for event in events)


def _pieces(data: bytes, *cuts: int) -> list[tuple[float, bytes]]:
    """Return the data cut into pieces, the first there at second 0, the next at second 1."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [(float(n), data[a:b]) for n, (a, b) in enumerate(pairwise(edges))]


def _read(*events: bytes) -> Answer:
    return streamed([(float(number), event) for number, event in enumerate(events)])


def _outcome(read: Callable[[], Answer]) -> Answer | str:
    """Return the answer, or why there is none."""
    try:
        return read()
    except Broken as broken:
        return str(broken)


def _reason(*events: bytes) -> str:
    with pytest.raises(Broken) as caught:
        _read(*events)
    return str(caught.value)


@deterministic
@given(st.lists(st.integers(0, 2000), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_a_stream_reads_the_same_wherever_it_is_cut(cuts: list[int], end: str) -> None:
    """In the middle of a name, of a letter, or between the two ends of a line."""
    found = streamed(_pieces(_answer(end), *cuts))
    assert found.texts == ["The", " sün", "."]
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (7, 3, 4)
    assert found.times_s == sorted(found.times_s)


@deterministic
@given(st.integers(1, 400))
def test_a_text_is_there_with_the_last_byte_of_its_event(cut: int) -> None:
    """Not before, and no later though more is to come."""
    data = _answer()
    ends = [data.index(text) + len(text) for text in (b'"The"', '" sün"'.encode(), b'"."')]
    ends = [data.index(b"\n\n", end) + 2 for end in ends]
    found = streamed(_pieces(data, cut % len(data)))
    assert found.times_s == [float(cut % len(data) < end) for end in ends]


@deterministic
@given(st.integers(0, len(_answer()) - 1))
def test_half_a_stream_is_no_answer(cut: int) -> None:
    """Until the server has said why it ended; after that the usage may still be missing."""
    data = _answer()
    is_ended = cut >= data.index(b"\n\n", data.index(b'"length"')) + 2
    found = _outcome(lambda: streamed(_pieces(data[:cut])))
    if isinstance(found, Answer):
        assert is_ended
        assert found.output_tokens in (None, 3)
    else:
        assert found in {
            "the stream ended before the answer did",
            "the stream ended in the middle of an event",
        }


def test_texts_come_when_their_events_do() -> None:
    """The role, the end and the usage have no text and no time."""
    found = _read(*[event + b"\n\n" for event in _answer().split(b"\n\n")[:-1]])
    assert found.times_s == [1.0, 2.0, 3.0]


def test_events_in_one_piece_have_one_time() -> None:
    """Each is a piece of text all the same."""
    found = _read(_event(_chat("a")) + _event(_chat("b")), _event(_chat("c", "stop")))
    assert (found.texts, found.times_s) == (["a", "b", "c"], [0.0, 0.0, 1.0])


def test_plain_completions_are_read_as_well() -> None:
    """They have their text in the choice itself."""
    parts = [
        {"choices": [{"text": t, "finish_reason": r}]} for t, r in (("a", None), ("b", "stop"))
    ]
    assert _read(*map(_event, parts)).texts == ["a", "b"]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_generated_text(name: str) -> None:
    """Its tokens are in the usage, so its times are times of tokens."""
    found = _read(_event(_chat(None, **{name: "hm"})), _event(_chat("42", "stop")))
    assert (found.texts, found.times_s) == (["hm", "42"], [0.0, 1.0])


@pytest.mark.parametrize(
    "texts", [("hm", "hm"), ("hm", ""), ("", "hm"), ("hm", None), (None, "hm")]
)
def test_reasoning_under_two_names_is_one_text(texts: tuple[str | None, str | None]) -> None:
    """Servers send it under the old name and the new one."""
    delta = dict(zip(("reasoning_content", "reasoning"), texts, strict=True))
    found = _read(_event(_chat(None, **delta)), _event(_chat("42", "stop")))
    assert (found.texts, found.times_s) == (["hm", "42"], [0.0, 1.0])


def test_comments_and_other_fields_are_passed_over() -> None:
    """Servers send them to keep connections open."""
    noise = b": ping\n\nevent: message\nid: 3\nretry: 10\n"
    assert _read(noise + _event(_chat("a", "stop")) + b": bye\n\n").texts == ["a"]


def test_data_may_stand_on_several_lines() -> None:
    """They are joined by line ends, as the standard says; the space after the colon may lack."""
    event = b'data: {"choices": [\ndata:{"text": "a",\ndata: "finish_reason": "stop"}]}\n\n'
    assert _read(event).texts == ["a"]


def test_an_end_without_a_reason_is_one() -> None:
    """Some servers only say that they are done."""
    assert _read(_event(_chat("a")), _event("[DONE]")).texts == ["a"]


def test_the_last_usage_counts() -> None:
    """Servers that report as they go report more and more."""
    early = {**_chat("a"), "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
    found = _read(_event(early), _event({**_chat("b", "stop"), "usage": USAGE}))
    assert found.output_tokens == 3


def test_without_usage_no_count_is_known() -> None:
    """It is not worked out from the pieces; null is no usage either."""
    found = _read(_event({**_chat("a", "stop"), "usage": None, "error": None}))
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (None, None, None)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"data: {not json\n\n", "the server sent what is no JSON object: b'{not json'"),
        (b"data: [1]\n\n", "the server sent what is no JSON object: b'[1]'"),
        (b"data: \xff\n\n", "the server sent what is no JSON object: b'\\xff'"),
        (
            _event({"error": {"message": "out of\nmemory", "code": 500}}),
            "the server reports: out of memory",
        ),
        (_event({"error": "gone"}), "the server reports: gone"),
        (_event(_chat("a")), "the stream ended before the answer did"),
        (b"", "the stream ended before the answer did"),
        (b"data: {}\n", "the stream ended in the middle of an event"),
        (b"data: {", "the stream ended in the middle of an event"),
    ],
)
def test_what_is_no_stream_has_its_reason(event: bytes, reason: str) -> None:
    """In a few words, on one line."""
    assert short(_reason(event)) == reason


def test_an_error_after_half_an_answer_is_told() -> None:
    """What came before it is no answer."""
    assert _reason(_event(_chat("a")), _event({"error": {"message": "gone"}})) == (
        "the server reports: gone"
    )


def test_a_long_reason_is_cut() -> None:
    """A page of HTML would fill the terminal."""
    reason = short(_reason(b"data: " + b"<p>" * 500 + b"\n\n"))
    assert (len(reason), reason[-3:]) == (200, "...")


def test_an_answer_in_one_piece() -> None:
    """Its text, and its usage."""
    choice = {"message": {"role": "assistant", "content": "The sun."}, "finish_reason": "stop"}
    found = whole(json.dumps({"choices": [choice], "usage": USAGE}).encode())
    assert (found.texts, found.times_s) == (["The sun."], [])
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (7, 3, 4)
    assert whole(b'{"choices": [{"text": "a"}]}').texts == ["a"]
    assert whole(b'{"choices": [{"message": {"content": null}}]}').texts == [""]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "the answer has no text in it"),
        (b'{"choices": []}', "the answer has no text in it"),
        (b"", "the server sent what is no JSON object: b''"),
        (b'{"choices": [', "the server sent what is no JSON object: b'{\"choices\": ['"),
        (b'{"error": {"message": "no"}}', "the server reports: no"),
    ],
)
def test_what_is_no_answer_in_one_piece_has_its_reason(body: bytes, reason: str) -> None:
    """Half a body is none."""
    with pytest.raises(Broken) as caught:
        whole(body)
    assert str(caught.value) == reason


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "choices": _JSON
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "delta": _JSON | st.fixed_dictionaries({"content": _JSON}),
                    "message": _JSON,
                    "text": _JSON,
                    "finish_reason": st.none() | st.text(),
                },
            )
        ),
        "usage": _JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "prompt_tokens": _JSON,
                "completion_tokens": _JSON,
                "prompt_tokens_details": _JSON | st.fixed_dictionaries({"cached_tokens": _JSON}),
            },
        ),
        "error": _JSON,
    },
)


@settings(deterministic, max_examples=30)
@given(st.lists(_OBJECTS, max_size=4))
@example([{"choices": [{"delta": "x", "finish_reason": "stop"}]}])
@example(
    [{"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"completion_tokens": "3"}}]
)
@example(
    [
        {
            "choices": [{"text": "x", "finish_reason": "stop"}],
            "usage": {"completion_tokens": True, "prompt_tokens_details": [1]},
        }
    ]
)
def test_any_objects_are_an_answer_or_have_a_reason(objects: list[dict[str, Any]]) -> None:
    """Counts are whole numbers or unknown; whatever a server sends, nothing else is raised."""
    data = b"".join(map(_event, objects))
    found = [_outcome(lambda: streamed([(0.0, data)]))]
    found += [_outcome(lambda one=one: whole(json.dumps(one).encode())) for one in objects]
    for answer in found:
        assert answer
        if isinstance(answer, Answer):
            counts = (answer.input_tokens, answer.output_tokens, answer.cached_tokens)
            assert all(n is None or (type(n) is int and n >= 0) for n in counts)
            assert all(isinstance(text, str) for text in answer.texts)


@deterministic
@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_have_a_reason(data: bytes) -> None:
    """Nothing else is raised; an end alone is an answer without a word."""
    for read in (lambda: streamed([(0.0, data)]), lambda: whole(data)):
        found = _outcome(read)
        assert found if isinstance(found, str) else found == Answer()
    assert "\n" not in short(error_in(data))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "slow down", "type": "limit"}}', "slow down"),
        (b'{"error": "slow down"}', "slow down"),
        (b'{"message": "slow down"}', "slow down"),
        (b'{"detail": "Not Found"}', "{'detail': 'Not Found'}"),
        (b"<html>\n  Bad Gateway </html>", "<html> Bad Gateway </html>"),
        (b"", ""),
        (b"\xff", "\ufffd"),
        (b"[1, 2]", "[1, 2]"),
    ],
)
def test_what_an_error_says(body: bytes, expected: str) -> None:
    """Whichever way a server words it."""
    assert short(error_in(body)) == expected
