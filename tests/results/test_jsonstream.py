"""JSON documents read part by part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.results import jsonstream
from pytest_lem.results.jsonstream import parts

deterministic = settings(derandomize=True, deadline=None, max_examples=200)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture(params=[1, 3, 7, 1 << 20], ids=lambda size: f"chunk-{size}")
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that reads a text in chunks of some size."""
    monkeypatch.setattr(jsonstream, "_CHUNK", request.param)

    def read(text: str) -> list[tuple[str, Any]]:
        path = tmp_path / "a.json"
        path.write_text(text, encoding="utf-8")
        return list(parts(path))

    return read


@pytest.mark.parametrize("indent", [None, 1])
def test_members_and_elements_come_in_their_order(read: Any, indent: int | None) -> None:
    """Those of a list one by one, with its name; of an empty list nothing comes."""
    content = {
        "a": 12345,
        "b": [{"x": [1, 2]}, "t ] ,", -1.5e3],
        "c": [],
        "d": {"e": []},
        "f": None,
    }
    assert read(json.dumps(content, indent=indent)) == [
        ("a", 12345),
        ("b", {"x": [1, 2]}),
        ("b", "t ] ,"),
        ("b", -1.5e3),
        ("d", {"e": []}),
        ("f", None),
    ]


def test_an_empty_object_has_no_parts(read: Any) -> None:
    """Spaces or not."""
    assert read("{}") == read(" { \n } ") == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"a"', '{"a": ', '{"a": 1', '{"a": [1', '{"a": [1,]}', '{"a": [1 2]}',
     '{"a": 1,}', '{"a": 1} {}', "{1: 2}", '{"a" 1}', '{"a": [1}', '{"a": x}'],
)  # fmt: skip
def test_what_is_no_object_is_refused(read: Any, text: str) -> None:
    """Damage at any place, and whatever else JSON may be."""
    with pytest.raises(ValueError, match=r"\w"):
        read(text)


@deterministic
@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 1]), st.integers(1, 9))
def test_it_reads_what_the_library_reads(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], indent: Any, size: int
) -> None:
    """Any object, whatever the chunks cut in two."""
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(content, indent=indent))
    found: dict[str, Any] = {}
    whole = json.loads(path.read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonstream, "_CHUNK", size)
        for name, value in parts(path):
            if isinstance(whole[name], list):
                found.setdefault(name, []).append(value)
            else:
                found[name] = value
    assert found == {name: value for name, value in whole.items() if value != []}


def test_no_more_is_held_than_a_part_and_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the list."""
    monkeypatch.setattr(jsonstream, "_CHUNK", 64)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": [{"n": number} for number in range(1000)]}))
    held = []
    read_on = jsonstream._Reader._more

    def spy(reader: Any, count: int) -> bool:
        is_more = read_on(reader, count)
        held.append(len(reader._text))
        return is_more

    monkeypatch.setattr(jsonstream._Reader, "_more", spy)
    assert len(list(parts(path))) == 1000
    assert max(held) <= 4 * 64
