"""What is told to be in force, besides the options."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.llama_cpp import LlamaCppBackend, applied
from pytest_lem.backends.llama_cpp.gguf import GgufHeader
from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
from pytest_lem.backends.llama_cpp.precisions import PRECISIONS, precision_of
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.applied import load_differences

Load = Callable[..., tuple[LlamaCppBackend, dict[str, Any]]]
Edited = Callable[[bytes, bytes], Path]

FILE_TYPE = b"general.file_type" + struct.pack("<I", 4)
#: What llama.cpp logs of a model on two GPUs.
ON_GPUS = """\
llama_prepare_model_devices: using device CUDA0 (NVIDIA H100 80GB HBM3) (0000:0a:00.0) - 80000 MiB
llama_prepare_model_devices: using device CUDA1 (NVIDIA H100 (SXM)) (0000:af:00.0) - 80000 MiB free
load_tensors: offloaded 33/33 layers to GPU
"""


def test_the_facts_are_those_of_the_model(load: Load, gguf: Path) -> None:
    """Parameters by type add up to what the engine counts, and the hash is that of the file."""
    backend, facts = load()

    model = backend._engine.ask("/v1/models")["data"][0]["meta"]
    assert facts["precision"] == "q4_1"
    assert set(facts["dtype"]) == {"q4_1", "q8_0", "float32"}
    assert sum(facts["dtype"].values()) == facts["parameters"] == model["n_params"]
    assert max(facts["dtype"], key=facts["dtype"].__getitem__) == "q4_1"
    assert facts["model_sha256"] == hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert (facts["device"], facts["device_uuids"]) == ("cpu", [])
    assert (facts["num_threads"], facts["slots"], facts["context_length"]) == (1, 4, 256)
    assert facts["precisions"]["kv_cache"] == "float16"
    assert facts["architecture"] == "llama"


def test_two_types_of_cache_are_told(load: Load) -> None:
    """Keys and values of different types are both named."""
    _, facts = load(cache_type_k="q8_0")

    assert facts["precisions"]["kv_cache"] == "float16/q8_0"


@pytest.mark.parametrize(("number", "precision"), [(3, "q4_1"), (7, "q8_0"), (15, "q4_k_m")])
def test_the_precision_is_what_the_engine_says(
    load: Load, edited: Edited, number: int, precision: str
) -> None:
    """The type that a file states is what llama.cpp reports, and another one is a difference."""
    model = edited(FILE_TYPE + struct.pack("<I", 3), FILE_TYPE + struct.pack("<I", number))

    _, facts = load(model)

    assert facts["precision"] == precision
    spec = LoadSpec(backend="llama_cpp", model="m", precision="q4_1", options={})
    differences = [difference.name for difference in load_differences(spec, facts)]
    assert differences == ([] if precision == "q4_1" else ["precision"])


def test_a_file_that_does_not_state_its_type_is_known_by_its_tensors(
    load: Load, edited: Edited
) -> None:
    """llama.cpp guesses by the most frequent type, which is no other precision."""
    _, facts = load(edited(b"general.file_type", b"general.file_typ_"))

    assert facts["precision"] == "q4_1"


def test_precisions_are_names_of_file_types() -> None:
    """`auto` comes first; unquantised ones have the names of all backends, others llama.cpp's."""
    assert PRECISIONS[:4] == ("auto", "float32", "float16", "bfloat16")
    assert all(name == name.lower() for name in PRECISIONS)
    printed = ["all F32", "F16", "BF16", "Q4_K - Medium", "(guessed) Q4_1", "IQ3_S mix - 3.66 bpw"]
    assert [precision_of(text) for text in printed] == [
        "float32", "float16", "bfloat16", "q4_k_m", "q4_1", "iq3_m",
    ]  # fmt: skip
    assert precision_of("a type of tomorrow") == "a type of tomorrow"


class _Engine:
    """An engine that has logged something and has no GPU to log it of."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.slots = [{"n_ctx": 64}]

    def ask(self, path: str) -> dict[str, Any]:
        return {"data": [{"meta": {"n_params": 1, "ftype": "Q4_1"}}]}


def _facts(log: str, **options: Any) -> dict[str, Any]:
    header = GgufHeader(metadata={}, parameters={})
    return applied.in_force(_Engine(log), header, LlamaCppOptions(**options))  # type: ignore[arg-type]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a folder in place of the one in which NVIDIA's driver tells of its GPUs."""
    for address, uuid in (("0000:0a:00.0", "GPU-a"), ("0000:af:00.0", "GPU-b")):
        folder = tmp_path / address
        folder.mkdir()
        (folder / "information").write_text(
            f"Model: \t\t H100\nIRQ:   \t\t 1\nGPU UUID: \t {uuid}\n"
        )
    monkeypatch.setattr(applied, "_NVIDIA", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("asked", "told"), [("auto", 33), ("all", "all"), (99, 33)])
def test_gpus_are_told_by_name(driver: Path, asked: Any, told: Any) -> None:
    """The devices that llama.cpp logs are in use, with the UUIDs that their driver tells."""
    facts = _facts(ON_GPUS, n_gpu_layers=asked)

    assert facts["device"] == "cuda:0"
    assert facts["device_uuids"] == ["GPU-a", "GPU-b"]
    assert facts["options"]["n_gpu_layers"] == told


def test_gpus_without_layers_are_not_in_use(driver: Path) -> None:
    """A GPU that is there and has nothing to do is not told."""
    facts = _facts(ON_GPUS.replace("33/33", "0/33"), n_gpu_layers=0)

    assert (facts["device"], facts["device_uuids"]) == ("cpu", [])


def test_part_of_the_layers_is_not_all(driver: Path) -> None:
    """Fewer layers on GPUs than were asked for is a difference."""
    assert _facts(ON_GPUS.replace("33/33", "20/33"), n_gpu_layers="all")["options"][
        "n_gpu_layers"
    ] == 20  # fmt: skip


def test_a_gpu_of_unknown_name_is_refused(driver: Path) -> None:
    """A GPU whose energy could not be told is not left out in silence."""
    (driver / "0000:af:00.0" / "information").unlink()

    with pytest.raises(LemError, match=r"cannot tell which GPU is at 0000:af:00.0") as caught:
        _facts(ON_GPUS)

    assert caught.value.kind is FailureKind.METER


def test_gpus_of_others_have_no_uuid() -> None:
    """Only NVIDIA's driver is asked."""
    facts = _facts(ON_GPUS.replace("CUDA", "Vulkan"))

    assert (facts["device"], facts["device_uuids"]) == ("vulkan:0", [])


@pytest.mark.parametrize(("asked", "told"), [("mlock", "none"), ("mmap+mlock", "mmap")])
def test_memory_that_was_not_locked_is_told(asked: Any, told: str) -> None:
    """llama.cpp goes on when the system does not let it lock memory."""
    log = f"load_tensors: this can take a while... (load_mode = {asked})\n"
    failed = "warning: failed to mlock 96579584-byte buffer (after previously locking 0 bytes)"

    assert _facts(log, load_mode=asked)["options"]["load_mode"] == asked
    assert _facts(log + failed, load_mode=asked)["options"]["load_mode"] == told


def test_what_is_not_logged_is_not_told() -> None:
    """Nothing is made up where llama.cpp is silent."""
    facts = _facts("")

    assert facts["options"] == {"n_ctx": 64, "n_gpu_layers": 0}
    assert facts["num_threads"] is None
    assert facts["precisions"]["kv_cache"] is None
