"""The language between pytest and a host process."""

import pytest

from pytest_lem.backends.host.messages import VERSION, decode, encode


def test_a_message_survives_the_way():
    """What is encoded is one line, whatever is in it, and is decoded unchanged."""
    line = encode("run", text="two\nlines \0 \U0001f50b", numbers=[1, 2.5, None])
    assert line.count(b"\n") == 1
    assert decode(line) == {
        "v": VERSION,
        "type": "run",
        "text": "two\nlines \0 \U0001f50b",
        "numbers": [1, 2.5, None],
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(value):
    """NaN and infinities never cross."""
    with pytest.raises(ValueError, match="JSON compliant"):
        encode("ran", start_s=value)


@pytest.mark.parametrize(
    "line",
    [b'{"v":0,"type":"hello"}\n', b'{"type":"hello"}\n', b"[1]\n", b"noise\n", b"\xff\n"],
    ids=["other version", "no version", "no object", "no JSON", "no text"],
)
def test_what_is_no_message_is_refused(line):
    """A line of another version, or none of the language, is a ValueError."""
    with pytest.raises(ValueError, match=r"version 3|Expecting value|codec can't decode"):
        decode(line)
