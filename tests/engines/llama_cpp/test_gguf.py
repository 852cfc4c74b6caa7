"""The header of GGUF files: sound ones, and all that can be wrong with one."""

from __future__ import annotations

import contextlib
import re
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lem.backends.llama_cpp.gguf import read_header
from pytest_lem.errors import FailureKind, LemError

U32, I32, BOOL, STRING, ARRAY = 4, 5, 7, 8, 9


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _list(kind: int, *items: bytes) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def _tensor(name: str, kind: int, *shape: int) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return _text(name) + sizes + struct.pack("<IQ", kind, 0)


def _file(*pairs: bytes, tensors: tuple[bytes, ...] = (), version: int = 3) -> bytes:
    counts = struct.pack("<IQQ", version, len(tensors), len(pairs))
    return b"GGUF" + counts + b"".join(pairs) + b"".join(tensors)


#: A header with a value of each sort.
SOUND = _file(
    _pair("general.architecture", STRING, _text("llama")),
    _pair("llama.context_length", U32, struct.pack("<I", 512)),
    _pair("tokenizer.ggml.add_bos_token", BOOL, b"\1"),
    _pair("tokenizer.ggml.tokens", ARRAY, _list(STRING, _text("<s>"), _text("a"))),
    _pair("tokenizer.ggml.token_type", ARRAY, _list(I32, *(struct.pack("<i", n) for n in (3, 1)))),
    _pair("tokenizer.chat_template", STRING, _text("{{ x }}")),
    tensors=(_tensor("a", 0, 4, 3), _tensor("b", 0, 2), _tensor("c", 12, 256, 2, 2)),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a file may be written."""
    return tmp_path / "model.gguf"


def test_a_header_is_read(path: Path) -> None:
    """Metadata have their types, lists of text are left out, elements count by type of tensor."""
    path.write_bytes(SOUND)

    header = read_header(path)

    assert header.architecture == "llama"
    assert header.context_length == 512
    assert header.metadata["tokenizer.ggml.add_bos_token"] is True
    assert "tokenizer.ggml.tokens" not in header.metadata
    assert header.control_ids == {0}
    assert header.has_chat_template
    assert not header.is_part
    assert header.parameters == {0: 14, 12: 1024}


def test_what_a_file_does_not_say_is_unknown(path: Path) -> None:
    """A file without metadata has no context, no template and no special tokens."""
    path.write_bytes(_file())

    header = read_header(path)

    assert (header.architecture, header.context_length) == ("", None)
    assert (header.has_chat_template, header.control_ids) == (False, frozenset())


@pytest.mark.parametrize(
    "pair",
    [
        _pair("llama.context_length", STRING, _text("long")),
        _pair("split.count", STRING, _text("many")),
        _pair("tokenizer.ggml.token_type", U32, struct.pack("<I", 3)),
    ],
)
def test_a_value_of_another_type_is_unknown(path: Path, pair: bytes) -> None:
    """Metadata that make no sense are as if they were not there."""
    path.write_bytes(_file(_pair("general.architecture", STRING, _text("llama")), pair))

    header = read_header(path)

    assert (header.context_length, header.is_part) == (None, False)
    assert header.control_ids == frozenset()


def test_the_demo_model_is_read(gguf: Path) -> None:
    """A real file has the parameters, the context and the special tokens that it is known for."""
    header = read_header(gguf)

    assert sum(header.parameters.values()) == 134_515_008
    assert header.context_length == 8192
    assert header.control_ids == set(range(17))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"GG", "it is no GGUF file"),
        (b"PK\3\4 and so on", "it is no GGUF file"),
        (_file(version=4), "it is in version 4 of the format"),
        (_file(_pair("a", 13, b"")), "it has a value of the unknown type 13"),
        (_file(_pair("a", 10, b"")), "it is cut off in its header"),
        (_file(_pair("a", ARRAY, _list(ARRAY))), "it has a value of the unknown type 9"),
        (_file(_pair("a", ARRAY, struct.pack("<IQ", U32, 2**60))), "it is cut off in its header"),
        (_file(_pair("a", ARRAY, struct.pack("<IQ", STRING, 2**60))), "it is cut off in its"),
        (_file(_pair("a", STRING, struct.pack("<Q", 2**63))), "it is cut off in its header"),
        (_file(tensors=(_tensor("a", 0, 1, 1, 1, 1, 1),)), "it has a tensor of 5 dimensions"),
    ],
)  # fmt: skip
def test_damage_is_told(path: Path, data: bytes, reason: str) -> None:
    """The sentence has the file, what is wrong with it, and what to do."""
    path.write_bytes(data)

    with pytest.raises(LemError, match=rf"{re.escape(str(path))}: {reason}.*; download") as caught:
        read_header(path)

    assert caught.value.kind is FailureKind.DATA


def test_a_file_that_is_cut_anywhere_is_refused(path: Path) -> None:
    """No part of a header is taken for the whole."""
    for length in range(len(b"GGUF"), len(SOUND)):
        path.write_bytes(SOUND[:length])

        with pytest.raises(LemError, match="it is cut off in its header"):
            read_header(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(spot=st.integers(4, len(SOUND) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_never_ends_in_a_traceback(path: Path, spot: int, byte: int) -> None:
    """Whatever stands in a header, it is read or refused."""
    path.write_bytes(SOUND[:spot] + bytes([byte]) + SOUND[spot + 1 :])

    with contextlib.suppress(LemError):
        header = read_header(path)

        assert all(count >= 0 for count in header.parameters.values())
        assert header.context_length is None or header.context_length >= 0
        assert header.control_ids <= {0, 1}
