"""Where a model is: a local directory or file, a Hugging Face id, or the demo model.

Imports the standard library only; it runs in the host process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pytest_lem.backends.fingerprint import file_sha256
from pytest_lem.errors import FailureKind, LemError

_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", "*.pt")
_GGUF = ".gguf"
_HASHED = ("config.json", "tokenizer*.json", "*.safetensors", "*.bin", "*.gguf", "*.jinja")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What to give a library as the model.

    `sha256` covers weights, configuration and tokenizer of a directory, or the one file that holds
    all of them; it is None for a Hugging Face id, whose commit the backend reads back after
    loading.
    """

    location: str
    sha256: str | None
    is_local: bool


def locate(model: str) -> ModelSource:
    """Find a model in the files of Hugging Face by what the user wrote.

    Raises LemError (`data`) for a directory without configuration or weights, and for a GGUF file.
    """
    from pytest_lem.backends.demo import DEMO_MODEL, demo_directory

    if model == DEMO_MODEL:
        directory = demo_directory()
        return ModelSource(str(directory), directory_sha256(directory), is_local=True)
    directory = Path(model).expanduser()
    if directory.is_dir():
        _check(directory)
        return ModelSource(str(directory.resolve()), directory_sha256(directory), is_local=True)
    if model.endswith(_GGUF):
        raise _data(
            f"{model} is a GGUF file, which only the backend `llama_cpp` runs; choose that one, or "
            "name a directory or a Hugging Face id"
        )
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise _data(f"there is no model directory {model}; give a directory or a Hugging Face id")
    return ModelSource(model, None, is_local=False)


def locate_gguf(model: str) -> ModelSource:
    """Find a GGUF file by what the user wrote: its path, or a directory that holds just one.

    Raises LemError (`data`) for anything else; nothing is downloaded.
    """
    from pytest_lem.backends.demo import DEMO_MODEL, demo_gguf

    path = demo_gguf() if model == DEMO_MODEL else Path(model).expanduser()
    if path.is_dir():
        path = _only_gguf(path)
    elif not path.is_file():
        raise _data(
            f"there is no GGUF file or directory {model}; give one that is here, since nothing is "
            "downloaded"
        )
    return ModelSource(str(path.resolve()), file_sha256(path), is_local=True)


def _only_gguf(directory: Path) -> Path:
    found = sorted(directory.glob(f"*{_GGUF}"))
    if not found:
        raise _data(
            f"the model directory {directory} has no GGUF file; convert the model with llama.cpp's "
            "convert_hf_to_gguf.py, or choose another backend"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise _data(f"the model directory {directory} has several GGUF files ({names}); name one")
    return found[0]


def _check(directory: Path) -> None:
    if not (directory / "config.json").is_file():
        raise _data(f"the model directory {directory} has no config.json; is it a model at all?")
    if not any(path for pattern in _WEIGHTS for path in directory.glob(pattern)):
        raise _data(
            f"the model directory {directory} has no weights (no .safetensors, .bin or .gguf "
            "file); download them or name another model"
        )


def directory_sha256(directory: Path) -> str:
    """Hash the files of a model that decide what it computes, by name and content."""
    names = sorted({p.name for pattern in _HASHED for p in directory.glob(pattern)})
    total = hashlib.sha256()
    for name in names:
        total.update(f"{name}\0{file_sha256(directory / name)}\n".encode())
    return total.hexdigest()


def _data(sentence: str) -> LemError:
    return LemError(sentence, kind=FailureKind.DATA)
