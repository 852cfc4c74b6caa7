"""Prompts in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.promptfile import read_prompts

TWO = ["What is it?", "Écris « oui »,\nthen stop."]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """Return a file with that content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"prompt": "What is it?"}\n{"prompt": "Écris « oui »,\\nthen stop."}\n'),
        ("bare.jsonl", '"What is it?"\n"Écris « oui »,\\nthen stop."'),
        ("a.csv", 'id,prompt\n1,What is it?\n2,"Écris « oui »,\nthen stop."\n'),
        ("excel.csv", '\ufeffprompt,id\r\nWhat is it?,1\r\n"Écris « oui »,\nthen stop.",2\r\n'),
    ],
)
def test_formats_give_the_same_prompts(tmp_path: Path, name: str, content: str) -> None:
    """Line breaks and letters of a prompt are kept."""
    assert read_prompts(written(tmp_path, name, content)) == TWO


def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    """With the library that everyone writes them with."""
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"n": [1, 2], "prompt": TWO}), path)
    assert read_prompts(path) == TWO


def test_a_text_file_has_a_prompt_on_each_line(tmp_path: Path) -> None:
    """Spaces within are kept."""
    assert read_prompts(written(tmp_path, "a.txt", "one  two\nthree")) == ["one  two", "three"]


def test_the_column_is_found_or_named(tmp_path: Path) -> None:
    """Of several that are known the first; any by its name."""
    path = written(tmp_path, "a.jsonl", '{"input": "i", "instruction": "t", "other": "o"}\n')
    assert read_prompts(path) == ["t"]
    assert read_prompts(path, "other") == ["o"]


@pytest.mark.parametrize(
    ("name", "content", "column", "sentence"),
    [
        (
            "a.jsonl",
            '{"prompt": "x"}\n{"prompt": "  "}\n',
            None,
            r"a\.jsonl:2: the prompt is empty",
        ),
        ("a.jsonl", '{"prompt": null}\n', None, r"a\.jsonl:1: the prompt is empty"),
        ("a.jsonl", '{"prompt": 7}\n', None, r"a\.jsonl:1: the prompt is no text but 7"),
        ("a.jsonl", "[1]\n", None, r"a\.jsonl:1: the prompt is no text but \[1\]"),
        ("a.jsonl", '"x"\n{"prompt"\n', None, r"a\.jsonl:2: not JSON \("),
        ("a.jsonl", '{"titel": "x"}\n', None, r"none of the columns titel is known"),
        ("a.csv", "titel\nx\n", "title", r"no column `title`: did you mean `?titel"),
        ("a.csv", "id,prompt\n1,x\n2\n", None, r"a\.csv:3: the prompt is empty"),
        (
            "a.csv",
            "prompt\nHello, world\n",
            None,
            r"a\.csv:2: more fields than columns; quote a prompt that has commas",
        ),
        ("a.csv", "id,prompt\n1,x\n2,y,z\n", None, r"a\.csv:3: more fields than columns"),
        ("a.csv", "prompt\nx\n\ny\n", None, r"a\.csv:3: the prompt is empty"),
        ("a.csv", "prompt\nx\n\n", None, r"a\.csv:3: the prompt is empty"),
        ("a.txt", "one\n\nthree\n", None, r"a\.txt:2: the prompt is empty"),
        ("a.txt", "", None, r"a\.txt holds no prompts"),
        ("a.csv", "prompt\n", None, r"a\.csv holds no prompts"),
        ("a.txt", b"caf\xe9\n", None, r"a\.txt is not UTF-8 text \(at byte 3\); convert it"),
        ("a.parquet", "no such thing", None, r"a\.parquet cannot be read as Parquet \("),
    ],
)
def test_what_cannot_be_used_is_a_sentence_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, column: str | None, sentence: str
) -> None:
    """Nothing is left out or repaired in silence."""
    with pytest.raises(LemError, match=sentence) as caught:
        read_prompts(written(tmp_path, name, content), column)
    assert caught.value.kind is FailureKind.DATA
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet"])
def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, name: str) -> None:
    """It names the file."""
    with pytest.raises(LemError, match=rf"cannot read the prompts .*{name}: No such file"):
        read_prompts(tmp_path / name)
