"""Configuration files: lines, `_extends`, and what is wrong with a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_lem.config.source import read_file

Write = Callable[..., Path]
Sentence = Callable[..., str]


def test_every_value_knows_its_file_and_line(write: Write) -> None:
    """An origin is the file with the line of the value, in lists the line where it begins."""
    path = write(
        "# a comment\nbatch_size: 2\nmeasure:\n  rounds: 3\n\n  min_window_s:\n    0.5\n"
        "workload: {prompts: [a,\n  b], seed: 1}\n"
    )
    assert {".".join(keys): found.origin for keys, found in read_file(path).leaves.items()} == {
        "batch_size": f"{path}:2",
        "measure.rounds": f"{path}:4",
        "measure.min_window_s": f"{path}:7",
        "workload.prompts": f"{path}:8",
        "workload.seed": f"{path}:9",
    }


def test_values_have_the_types_of_yaml(write: Write) -> None:
    """Numbers, words, booleans, nulls and lists come out as such."""
    path = write("a: 1\nb: 1.5\nc: word\nd: true\ne: null\nf: [1, {g: 2}]\n")
    assert read_file(path).nested() == {
        "a": 1, "b": 1.5, "c": "word", "d": True, "e": None, "f": [1, {"g": 2}],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_sets_nothing(write: Write, text: str) -> None:
    """A file without content is a configuration without settings."""
    assert read_file(write(text)).leaves == {}


def test_a_byte_order_mark_is_no_part_of_the_first_key(write: Write) -> None:
    """Files from editors that mark UTF-8 are read like others."""
    assert read_file(write("\ufeffbatch_size: 2\n")).nested() == {"batch_size": 2}


def test_an_extended_file_lies_below_the_one_that_extends_it(write: Write) -> None:
    """Mappings merge in depth, and each value keeps the file and line it came from."""
    base = write("measure:\n  rounds: 3\n  timeout_s: 9\nbatch_size: 4\n", "base.yaml")
    path = write("_extends: base.yaml\nmeasure: {rounds: 5}\n")
    layers = read_file(path)
    assert layers.nested() == {"measure": {"rounds": 5, "timeout_s": 9}, "batch_size": 4}
    assert layers.origin(("measure", "rounds")) == f"{path}:2"
    assert layers.origin(("measure", "timeout_s")) == f"{base}:3"


def test_of_several_extended_files_the_later_wins(write: Write) -> None:
    """A list is laid down from first to last."""
    write("batch_size: 1\nmodel: one\n", "one.yaml")
    write("batch_size: 2\n", "two.yaml")
    path = write("_extends: [one.yaml, two.yaml]\n")
    assert read_file(path).nested() == {"batch_size": 2, "model": "one"}


def test_paths_are_relative_to_the_file_that_extends(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pytest was started does not matter, and each file of a chain counts from itself."""
    write("batch_size: 7\n", "base.yaml")
    write("_extends: ../base.yaml\n", "team/gpu/../middle.yaml")
    path = write("_extends: ../middle.yaml\n", "team/gpu/lem.yaml")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_file(Path(os.path.relpath(path))).nested() == {"batch_size": 7}


def test_one_base_may_be_extended_twice(write: Write) -> None:
    """A diamond is no circle."""
    write("batch_size: 3\n", "base.yaml")
    write("_extends: base.yaml\n", "left.yaml")
    write("_extends: base.yaml\n", "right.yaml")
    path = write("_extends: [left.yaml, right.yaml]\n")
    assert read_file(path).nested() == {"batch_size": 3}


def test_a_circle_is_an_error_that_names_the_chain(write: Write, sentence: Sentence) -> None:
    """The sentence shows how the files lead back to themselves."""
    write("_extends: b.yaml\n", "a.yaml")
    write("_extends: a.yaml\n", "b.yaml")
    assert sentence(read_file, write("_extends: a.yaml\n")) == (
        "a.yaml extends itself: lem.yaml -> a.yaml -> b.yaml -> a.yaml; take one `_extends` out"
    )


def test_a_missing_file_is_an_error(tmp_path: Path, sentence: Sentence) -> None:
    """The sentence names the file and what the system says."""
    assert sentence(read_file, tmp_path / "no.yaml") == (
        "cannot read the configuration no.yaml: No such file or directory"
    )


def test_a_missing_extended_file_is_an_error_that_names_who_asked(
    write: Write, sentence: Sentence
) -> None:
    """The person has to find the file in which the wrong path stands."""
    path = write("_extends: no.yaml\n")
    assert sentence(read_file, path) == (
        "cannot read the configuration no.yaml, which lem.yaml extends: No such file or directory"
    )


def test_a_directory_is_no_configuration(tmp_path: Path, sentence: Sentence) -> None:
    """Whatever the system refuses to read is one sentence."""
    assert sentence(read_file, tmp_path).endswith(": Is a directory")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\nb: 3\n", "lem.yaml:2: not valid YAML: expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2\n", "lem.yaml:2: not valid YAML: found character '\\t' that cannot start"),
        ("a: 1\n---\nb: 2\n", "lem.yaml:2: not valid YAML: but found another document"),
        ("a: \x01\n", "lem.yaml: not valid YAML: unacceptable character #x0001"),
        ("- a\n- b\n", "lem.yaml:1: a configuration is a mapping of keys to values"),
        ("word\n", "lem.yaml:1: a configuration is a mapping of keys to values"),
        ("a: 1\nb: 2\na: 3\n", "lem.yaml:3: the key `a` stands here a second time; keep one"),
        ("m:\n  a: 1\n  a: 2\n", "lem.yaml:3: the key `a` stands here a second time; keep one"),
        ("? [a, b]\n: 1\n", "lem.yaml:1: a key is a word, not a list or mapping"),
        ("a: &x {b: *x}\n", "lem.yaml:1: mappings are nested too deeply"),
        ("a:\n  !!bool maybe\n", "lem.yaml:2: not a plain value: 'maybe'"),
        ("a: !!int ''\n", "lem.yaml:1: not a plain value: "),
        ("a: !!timestamp soon\n", "lem.yaml:1: not a plain value: "),
        ("a: 2026-99-01\n", "lem.yaml:1: not a plain value: month must be in 1..12"),
        ("_extends:\n", "lem.yaml:1: `_extends` takes a relative path or a list of them"),
        ("_extends: [1]\n", "lem.yaml:1: `_extends` takes a relative path or a list of them"),
        ("_extends: {a: b}\n", "lem.yaml:1: `_extends` takes a relative path or a list of them"),
        (b"a: \xff\n", "cannot read the configuration lem.yaml: it is not UTF-8 text"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_its_line(
    write: Write, sentence: Sentence, text: str | bytes, expected: str
) -> None:
    """What is wrong is said in a single line that begins with the file and, if known, the line."""
    assert sentence(read_file, write(text)).startswith(expected)


def test_reading_a_file_runs_nothing(write: Write, sentence: Sentence, tmp_path: Path) -> None:
    """A tag that makes Python objects is an error, and its function is not called."""
    target = tmp_path / "made"
    path = write(f"a: !!python/object/apply:os.mkdir ['{target}']\n")
    assert sentence(read_file, path).startswith(
        "lem.yaml:1: not a plain value: could not determine a constructor for the tag"
    )
    assert not target.exists()
