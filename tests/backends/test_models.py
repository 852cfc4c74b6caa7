"""Where a model is, and what identifies it."""

import hashlib
import re
from pathlib import Path

import pytest

from pytest_lem import FailureKind, LemError
from pytest_lem.backends.models import locate, locate_gguf


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "weights.bin").write_bytes(b"\0\1")
    return tmp_path


def test_a_directory_is_taken_as_it_is(model):
    """A directory is found by any path to it and given as an absolute one."""
    found = locate(f"{model}/../{model.name}/")
    assert found.is_local
    assert found.location == str(model.resolve())


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("config.json", "has no config.json; is it a model at all?"),
        ("weights.bin", "has no weights (no .safetensors, .bin or .gguf file); download them"),
    ],
)
def test_a_directory_that_is_no_model_is_refused(model, missing, sentence):
    """Without configuration or weights the sentence names the directory and what is missing."""
    (model / missing).unlink()
    with pytest.raises(LemError, match=re.escape(f"{model} {sentence}")) as caught:
        locate(str(model))
    assert caught.value.kind is FailureKind.DATA


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none/at/all", "a/b/c"])
def test_a_path_to_nothing_is_refused(name):
    """What can only be a path is never taken for a Hugging Face id."""
    with pytest.raises(LemError, match=re.escape(f"no model directory {name}; give a directory")):
        locate(name)


@pytest.mark.parametrize("name", ["gpt2", "HuggingFaceTB/SmolLM2-135M"])
def test_a_hugging_face_id_is_passed_on(name):
    """An id has no hash before it is loaded."""
    found = locate(name)
    assert (found.location, found.sha256, found.is_local) == (name, None, False)


def test_a_gguf_file_belongs_to_another_backend(tmp_path):
    """What reads directories says which backend reads the file."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(LemError, match="which only the backend `llama_cpp` runs; choose") as caught:
        locate(str(path))
    assert caught.value.kind is FailureKind.DATA


@pytest.mark.parametrize("named", ["model.gguf", ""], ids=["file", "directory"])
def test_a_gguf_file_is_found(tmp_path, named):
    """It is named itself or by the directory that holds it alone, and its hash is the file's."""
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "README.md").write_bytes(b"about")
    found = locate_gguf(str(tmp_path / named))
    assert (found.location, found.is_local) == (str(tmp_path / "model.gguf"), True)
    assert found.sha256 == hashlib.sha256(b"GGUF").hexdigest()


def test_a_directory_without_a_gguf_file_is_refused(model):
    """The files of another library are told from those that llama.cpp reads."""
    with pytest.raises(LemError, match=re.escape(f"{model} has no GGUF file; convert")) as caught:
        locate_gguf(str(model))
    assert caught.value.kind is FailureKind.DATA


def test_one_of_several_gguf_files_has_to_be_named(tmp_path):
    """Which of them is meant is not guessed."""
    for name in ("b.gguf", "a.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(LemError, match=re.escape("several GGUF files (a.gguf, b.gguf); name one")):
        locate_gguf(str(tmp_path))


@pytest.mark.parametrize("name", ["none.gguf", "/none/at/all", "HuggingFaceTB/SmolLM2-135M-GGUF"])
def test_a_gguf_file_that_is_not_here_is_refused(name):
    """Nothing is downloaded, so an id of Hugging Face is no model either."""
    with pytest.raises(LemError, match=re.escape(f"no GGUF file or directory {name}; give one")):
        locate_gguf(name)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("config.json", True),
        ("weights.bin", True),
        ("tokenizer_config.json", True),
        ("chat_template.jinja", True),
        ("README.md", False),
    ],
)
def test_the_hash_covers_what_decides_about_the_result(model, name, changes):
    """Weights, configuration, tokenizer and template are in the hash, a README is not."""
    before = locate(str(model)).sha256
    (model / name).write_bytes(b"other")
    assert (locate(str(model)).sha256 != before) is changes


def test_the_hash_knows_which_file_holds_what(model):
    """The same contents under other names are another model."""
    before = locate(str(model)).sha256
    (model / "weights.bin").rename(model / "weights2.bin")
    assert locate(str(model)).sha256 != before
