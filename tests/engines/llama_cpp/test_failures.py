"""What cannot be loaded is told in one sentence, by its kind."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xllamacpp

from pytest_lem.backends.demo import DEMO_MODEL
from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.errors import FailureKind, LemError

Load = Callable[..., tuple[LlamaCppBackend, dict[str, Any]]]
Edited = Callable[[bytes, bytes], Path]


def _refused(load: Load, model: Path | str, **options: Any) -> LemError:
    with pytest.raises(LemError) as caught:
        load(model, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_model_that_is_cut_off_is_refused(load: Load, gguf: Path, tmp_path: Path) -> None:
    """A download that broke off gives llama.cpp's own reason."""
    model = tmp_path / "cut.gguf"
    model.write_bytes(gguf.read_bytes()[:50_000_000])

    error = _refused(load, model)

    assert str(error).startswith(f"cannot load the model {model}: tensor ")
    assert "is not within the file bounds" in str(error)
    assert error.kind is FailureKind.DATA


def test_a_header_that_is_cut_off_is_refused(load: Load, gguf: Path, tmp_path: Path) -> None:
    """A file that ends in the middle of its vocabulary is told before the engine is asked."""
    model = tmp_path / "cut.gguf"
    model.write_bytes(gguf.read_bytes()[:100_000])

    error = _refused(load, model)

    assert "it is cut off in its header; download it again" in str(error)
    assert error.kind is FailureKind.DATA


def test_a_file_of_another_kind_is_refused(load: Load, tmp_path: Path) -> None:
    """Safetensors, say, are no GGUF file."""
    model = tmp_path / "model.safetensors"
    model.write_bytes(struct.pack("<Q", 2) + b"{}")

    assert "it is no GGUF file" in str(_refused(load, model))


def test_a_part_of_a_model_is_refused(load: Load, tmp_path: Path) -> None:
    """Of a model in several files not even the size would be right."""
    model = tmp_path / "model-00001-of-00003.gguf"
    pair = struct.pack("<Q", 11) + b"split.count" + struct.pack("<IH", 2, 3)
    model.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair)

    error = _refused(load, model)

    assert "is one of several parts of a model; join them" in str(error)
    assert error.kind is FailureKind.DATA


def test_a_model_that_llama_cpp_does_not_know_is_refused(load: Load, edited: Edited) -> None:
    """A file without its tensors, under an architecture of another name, has its reason told."""
    key = struct.pack("<Q", 20) + b"general.architecture" + struct.pack("<IQ", 8, 5)

    error = _refused(load, edited(key + b"llama", key + b"lemma"))

    assert "unknown model architecture: 'lemma'" in str(error)
    assert error.kind is FailureKind.DATA


def test_more_requests_than_llama_cpp_can_are_refused(load: Load) -> None:
    """A batch beyond its limit is a matter of settings, in its own words."""
    error = _refused(load, DEMO_MODEL, n_ctx=8, batch=257)

    assert "does not take these settings: " in str(error)
    assert "must be <= 256" in str(error)
    assert error.kind is FailureKind.CONFIG


def test_settings_that_need_a_gpu_are_refused(load: Load) -> None:
    """What llama.cpp does not do without a GPU is not done in another way."""
    error = _refused(load, DEMO_MODEL, split_mode="tensor")

    assert "needs >= 1 devices" in str(error)
    assert error.kind is FailureKind.CONFIG


def test_bindings_that_are_too_old_are_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has both versions and the command that brings a newer one."""
    monkeypatch.setattr(xllamacpp, "__version__", "2026.6.9713")

    error = _refused(load, DEMO_MODEL)

    assert "xllamacpp 2026.6.9713 is too old for this backend, which needs 2026.10" in str(error)
    assert "run: python -m pip install" in str(error)
    assert error.kind is FailureKind.CONFIG


def test_an_engine_can_end_at_once(load: Load) -> None:
    """Engines that are dropped as soon as they have started do not wait for what never comes."""
    for _ in range(5):
        backend, _ = load(DEMO_MODEL, batch=1)
        del backend


def test_a_start_is_read_where_standard_error_is_no_file(gguf: Path, tmp_path: Path) -> None:
    """At a terminal or in a pipe as well all that is in force is told, and still printed."""
    code = f"""
        import json
        from pytest_lem.backends.llama_cpp import LlamaCppBackend
        from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
        from pytest_lem.backends.protocol import LoadSpec

        options = LlamaCppOptions(n_threads=1, n_ctx=256)
        spec = LoadSpec(backend="llama_cpp", model={str(gguf)!r}, precision="q4_1", options=options)
        print(json.dumps(LlamaCppBackend().load(spec)["options"]))
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout)["n_ubatch"] == 256
    assert "llama_context: n_ubatch              = 256\n" in done.stderr
    assert "main loop exited" in done.stderr
