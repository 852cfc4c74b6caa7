"""Where a model is: a local directory, a Hugging Face id, or the demo model.

Imports the standard library only; it runs in the host process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pytest_lem.errors import FailureKind, LemError

_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", "*.pt")
_HASHED = ("config.json", "tokenizer*.json", "*.safetensors", "*.bin", "*.gguf", "*.jinja")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What to give a library as the model.

    `sha256` covers weights, configuration and tokenizer of a directory; it is None for a
    Hugging Face id, whose commit the backend reads back after loading.
    """

    location: str
    sha256: str | None
    is_local: bool


def locate(model: str) -> ModelSource:
    """Find a model by what the user wrote.

    Raises LemError (`data`) for a directory without configuration or weights.
    """
    from pytest_lem.backends.demo import DEMO_MODEL, demo_directory

    if model == DEMO_MODEL:
        directory = demo_directory()
        return ModelSource(str(directory), directory_sha256(directory), is_local=True)
    directory = Path(model).expanduser()
    if directory.is_dir():
        _check(directory)
        return ModelSource(str(directory.resolve()), directory_sha256(directory), is_local=True)
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise _data(f"there is no model directory {model}; give a directory or a Hugging Face id")
    return ModelSource(model, None, is_local=False)


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
        with (directory / name).open("rb") as file:
            total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _data(sentence: str) -> LemError:
    return LemError(sentence, kind=FailureKind.DATA)
