"""Quantised weights: that they are, how, and what is said where they cannot be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pytest_lem import read_run
from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.structure import structure_of
from pytest_lem.backends.transformers import TransformersBackend, quantiser
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.quantised import quantised_in
from pytest_lem.backends.transformers.quantiser import places_in, quantiser_of
from pytest_lem.backends.transformers.weights import multiplied_in
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.applied import load_differences
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]

TORCHAO = {"quant_method": "torchao"}
INT8 = {**TORCHAO, "quant_type": "Int8WeightOnlyConfig"}
INT4 = {**TORCHAO, "quant_type": "PrototypeInt4WeightOnlyConfig", "group_size": 32}
DYNAMIC = {**TORCHAO, "quant_type": "Int8DynamicActivationInt8WeightConfig"}
GPU_INT4 = {**TORCHAO, "quant_type": "Int4WeightOnlyConfig"}
FP8 = {"quant_method": "fp8"}
FLOAT8 = {**TORCHAO, "quant_type": "Float8WeightOnlyConfig"}
BNB4 = {"quant_method": "bitsandbytes", "load_in_4bit": True}
BNB8 = {"quant_method": "bitsandbytes", "load_in_8bit": True}
NESTED = {
    **BNB4,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_use_double_quant": True,
}
#: Linear modules of the tiny model's two layers, and the numbers in them.
MODULES, NUMBERS = 14, 73_728


class Found(NamedTuple):
    """What is found of the matrices: type, bits, class of module; how much the answer may move."""

    stored: str
    bits: int
    layer: str
    loss: float


def differences(applied: dict[str, Any], **options: Any) -> list[str]:
    """Return what is not as it was asked for."""
    asked = asdict(TransformersOptions(**options))
    spec = LoadSpec(backend="transformers", model="", precision="float32", options=asked)
    return [str(found) for found in load_differences(spec, applied)]


def logits(backend: TransformersBackend) -> torch.Tensor:
    """Return what a model makes of a few tokens."""
    with torch.inference_mode():
        return backend._model(torch.arange(2, 10)[None]).logits.float()


@pytest.fixture(scope="module")
def plain(load: Load, tiny_model: Path) -> tuple[torch.Tensor, dict[str, Any]]:
    """Return what the tiny model gives as it is, and what is in force."""
    backend, applied = load(tiny_model)
    return logits(backend), applied


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (INT8, Found("int8", 8, "Linear", 0.02)),
        ({**INT8, "group_size": 32}, Found("int8", 8, "Linear", 0.02)),
        (DYNAMIC, Found("int8", 8, "Linear", 0.03)),
        (INT4, Found("int4", 4, "Linear", 0.2)),
        (FLOAT8, Found("float8_e4m3fn", 8, "Linear", 0.1)),
        (BNB4, Found("fp4", 4, "Linear4bit", 0.3)),
        (NESTED, Found("nf4", 4, "Linear4bit", 0.3)),
        (BNB8, Found("int8", 8, "Linear8bitLt", 0.03)),
    ],
    ids=str,
)
def test_all_linear_modules_are_quantised(
    load: Load, tiny_model: Path, plain: Any, asked: Any, found: Found
) -> None:
    """Modules, bits and types are those of the live tensors, and the answer is nearly the same."""
    backend, applied = load(tiny_model, quantization_config=asked)

    told = applied["quantization"]
    assert (told["modules"], told["left_out"], told["bits"]) == (MODULES, 0, found.bits)
    assert applied["precisions"]["quantised_modules"] == MODULES
    assert applied["precisions"]["weights"][found.layer][found.stored] == NUMBERS
    assert (applied["parameters"], applied["precision"]) == (plain[1]["parameters"], "float32")
    assert differences(applied, quantization_config=asked) == []
    change = (logits(backend) - plain[0]).norm() / plain[0].norm()
    assert 0 < change < found.loss


@pytest.mark.parametrize(
    ("asked", "compute"),
    [(NESTED, "bfloat16"), ({**NESTED, "bnb_4bit_compute_dtype": "float32"}, "float32")],
)
def test_the_type_of_products_is_that_of_the_live_modules(
    load: Load, tiny_model: Path, asked: Any, compute: str
) -> None:
    """What goes in and comes out of them is float32 in both."""
    backend, applied = load(tiny_model, quantization_config=asked)

    layer = backend._model.model.layers[0].mlp.up_proj
    assert str(layer.compute_dtype) == f"torch.{compute}"
    assert multiplied_in(torch, layer) == compute
    assert applied["precisions"]["compute"] == compute
    assert applied["precisions"]["activations"] == "float32"


def test_whole_numbers_are_multiplied_where_both_sides_are_quantised(
    load: Load, tiny_model: Path
) -> None:
    """Weights alone are brought back to floats first."""
    layers = {
        name: load(tiny_model, quantization_config=asked)[0]._model.model.layers[0].mlp.up_proj
        for name, asked in (("int8", DYNAMIC), ("weights", INT8), ("bitsandbytes", BNB8))
    }

    told = {name: multiplied_in(torch, layer) for name, layer in layers.items()}
    assert told == {"int8": "int8", "weights": None, "bitsandbytes": "int8"}


def test_settings_of_the_process_stay(load: Load, tiny_model: Path) -> None:
    """By its defaults torchao would allow TF32 for all float32 matrices of the process."""
    torch.set_float32_matmul_precision("highest")

    applied = load(tiny_model, quantization_config=INT8)[1]

    assert applied["precisions"]["float32_matmul"] == "highest"


def test_matrices_that_were_passed_over_are_noticed(load: Load, tiny_model: Path) -> None:
    """Only two of them can be divided into groups of 128, and the library says so in its log."""
    asked = {**INT4, "group_size": 128}

    applied = load(tiny_model, quantization_config=asked)[1]

    (told,) = differences(applied, quantization_config=asked)
    assert told.endswith("in force is torchao in 2 of 14 linear modules")
    assert applied["dtype"]["int4"] == 2 * 64 * 128


def test_nothing_quantised_is_noticed(load: Load, tiny_model: Path) -> None:
    """Groups wider than any matrix leave the model as it was."""
    asked = {**INT4, "group_size": 512}

    applied = load(tiny_model, quantization_config=asked)[1]

    (told,) = differences(applied, quantization_config=asked)
    assert told.endswith("in force is None")
    assert (applied["quantization"], applied["dtype"].keys()) == (None, {"float32"})


def test_modules_that_are_not_alike_are_not_told_as_one(load: Load, tiny_model: Path) -> None:
    """What differs between them is unknown of all together."""
    backend, _ = load(tiny_model, quantization_config={**INT8, "group_size": 32})
    other, _ = load(tiny_model, quantization_config=INT4)
    backend._model.model.layers[1] = other._model.model.layers[1]

    found = quantised_in(torch, backend._model)

    assert found is not None
    assert (found["quant_type"], found["bits"], found["group_size"]) == (None, None, 32)


def test_the_demo_model_still_answers(load: Load, demo: Path) -> None:
    """SmolLM2 in int8, all 210 matrices of its layers."""
    backend, applied = load(demo, quantization_config=INT8)
    question = "What is the capital of France?"
    (batch,) = backend.prepare(Workload(prompts=(question,), output_tokens=16), 1).batches
    (answer,) = backend.requests(backend.run(batch))

    assert backend.decode(answer.token_ids) == "The capital of France is Paris."
    assert applied["quantization"]["modules"] == 210
    assert applied["dtype"] == {"float32": 28_346_688, "int8": 106_168_320}


@pytest.fixture(scope="module", params=[INT8, BNB4, BNB8], ids=str)
def stored(
    load: Load, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, request: Any
) -> tuple[Path, dict[str, Any]]:
    """Return a model whose files are quantised, and how."""
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("stored") / "model")
    backend, _ = load(tiny_model, quantization_config=request.param)
    backend._model.save_pretrained(folder)
    return folder, request.param


def test_files_that_are_quantised(load: Load, tiny_model: Path, stored: Any) -> None:
    """What they bring is told unasked, agrees when asked for, and the arithmetic is the same."""
    model, asked = stored
    applied = load(model)[1]

    assert applied["quantization"]["modules"] == MODULES
    assert differences(applied, quantization_config=asked) == []
    assert differences(load(model, quantization_config=asked)[1], quantization_config=asked) == []
    counts = ("body_parameters", "head_parameters")
    known, found = structure_of(str(tiny_model)), structure_of(str(model))
    assert [found[name] for name in counts] == [known[name] for name in counts]


def test_files_that_are_quantised_otherwise(refused: Any, stored: Any) -> None:
    """The library would take what the files have, whatever it is told."""
    model, asked = stored
    method = asked["quant_method"]
    other = BNB8 if method == "torchao" else INT8

    found = refused(FailureKind.CONFIG, model, quantization_config=other)

    assert f"asks for {other['quant_method']}, but the weights of {model} are stored in" in found


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_what_only_files_can_bring(refused: Any, tiny_model: Path, method: str) -> None:
    """Such weights take calibration, which is made once and stored."""
    asked = {"quant_method": method, "bits": 4}

    found = refused(FailureKind.CONFIG, tiny_model, quantization_config=asked)

    assert f"asks for {method}, which only a model's files can bring" in found
    assert found.endswith("name a model that is, or take `torchao`")


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_files_that_need_a_package(
    refused: Any, tiny_model: Path, tmp_path: Path, method: str
) -> None:
    """A missing one is a matter of the installation, and the library names it."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method, "bits": 4, "group_size": 128}
    (model / "config.json").write_text(json.dumps(config))

    found = refused(FailureKind.CONFIG, model, quantization_config={"quant_method": method})

    assert f"cannot load the model {model}: Loading a" in found
    assert "pip install" in found


@pytest.mark.parametrize(
    "asked",
    [
        {**TORCHAO, "quant_type": "Int4WeightOnlyConfig"},
        {**TORCHAO, "quant_type": "Float8DynamicActivationFloat8WeightConfig"},
        {"quant_method": "fp8"},
    ],
    ids=str,
)
def test_what_needs_a_gpu(refused: Any, tiny_model: Path, asked: Any) -> None:
    """It is refused by name before anything is loaded, whatever is installed."""
    found = refused(FailureKind.CONFIG, tiny_model, device="cpu", quantization_config=asked)

    assert f"asks for {asked.get('quant_type', 'fp8')}, which needs a GPU of compute cap" in found


def _asked_of(
    capability: tuple[int, int],
    config: dict[str, Any] | None,
    device_map: Any = "auto",
    stored: dict[str, Any] | None = None,
) -> Any:
    """Ask for a quantisation on a machine with one GPU."""
    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_capability=lambda _: capability,
    )
    machine = SimpleNamespace(cuda=cuda)
    source = ModelSource("model", None, is_local=True)
    return quantiser_of(machine, config, source, places_in(machine, device_map), stored)


@pytest.mark.parametrize(
    ("capability", "config", "sentence"),
    [
        ((8, 6), FP8, "needs compute capability 8.9 or later, and cuda:0 has 8.6"),
        ((7, 5), GPU_INT4, "needs compute capability 8.0 or later, and cuda:0 has 7.5"),
        ((9, 0), INT4, "runs on a CPU only; set `device: cpu`"),
        ((9, 0), FP8, "needs the package kernels, and that is not installed"),
        ((9, 0), GPU_INT4, "needs the package mslk, and that is not installed"),
    ],
)
def test_gpus_that_cannot(
    monkeypatch: pytest.MonkeyPatch, capability: Any, config: Any, sentence: str
) -> None:
    """Their capability and what must be installed beside them are known before loading."""
    _without(monkeypatch, "kernels", "mslk")
    with pytest.raises(LemError) as caught:
        _asked_of(capability, config)

    assert caught.value.kind is FailureKind.CONFIG
    assert sentence in str(caught.value)


def test_a_gpu_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is the library's own, with the sizes that were asked for."""
    monkeypatch.setattr(quantiser, "version", lambda _: "9.9")

    made = _asked_of((9, 0), {**FP8, "weight_block_size": [64, 64]})

    assert type(made) is transformers.FineGrainedFP8Config
    assert made.weight_block_size == [64, 64]
    assert _asked_of((8, 0), {**GPU_INT4, "group_size": 64}).quant_type.group_size == 64


@pytest.fixture(scope="module")
def in_fp8(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model whose linear weights are stored in fp8, with a scale for each block."""
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("fp8") / "model")
    path = folder / "model.safetensors"
    stored: dict[str, torch.Tensor] = {}
    for name, weight in load_file(path).items():
        stored[name] = weight
        if name.endswith("proj.weight"):
            blocks = [size // 32 for size in weight.shape]
            stored[name] = (weight * 64).to(torch.float8_e4m3fn)
            stored[f"{name}_scale_inv"] = torch.full(blocks, 1 / 64)
    save_file(stored, path, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {**FP8, "weight_block_size": [32, 32]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_files_that_are_made_wider_are_noticed(
    load: Load, refused: Any, in_fp8: Path, plain: Any
) -> None:
    """On a CPU the library runs them as floats, and says so in its log; asked for, they are not."""
    backend, applied = load(in_fp8)

    assert (applied["stored_quantization"], applied["quantization"]) == ("fp8", None)
    (told,) = differences(applied)
    assert told == "`quantization of the model's files`: asked for fp8, in force is None"
    assert (logits(backend) - plain[0]).norm() / plain[0].norm() < 0.1
    assert plain[1]["stored_quantization"] is None
    found = refused(FailureKind.CONFIG, in_fp8, quantization_config=FP8)
    assert "asks for fp8, which needs a GPU of compute capability 8.9 or later" in found


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_run_of_files_that_are_made_wider(
    pytester: pytest.Pytester, in_fp8: Path, is_strict: bool
) -> None:
    """It is flagged, with both values in its warnings; strict mode does not measure it."""
    pytester.makepyfile("def test_it(inference):\n    inference()\n")

    done = pytester.runpytest_subprocess(
        "--lem-smoke",
        "--lem-backend=transformers",
        f"--lem-model={in_fp8}",
        f"--lem-set=strict={str(is_strict).lower()}",
        "--lem-json=run.json",
    )

    done.assert_outcomes(passed=not is_strict, failed=is_strict)
    (record,) = read_run(pytester.path / "run.json").records
    sentence = "`quantization of the model's files`: asked for fp8, in force is None"
    assert "not_as_asked" in record.flags
    assert sentence in [warning.message for warning in record.warnings]
    assert record.failure_kind == ("config" if is_strict else None)
    assert not is_strict or f"({sentence})" in str(record.message)


@pytest.mark.parametrize(
    ("capability", "device", "config", "sentence"),
    [
        ((9, 0), 0, None, "stored in fp8, which needs the package kernels, and that is not inst"),
        (
            (9, 0),
            "cpu",
            None,
            "stored in fp8, which needs a GPU of compute capability 8.9 or later",
        ),
        ((8, 6), 0, None, None),
        ((8, 6), 0, FP8, "asks for fp8, which needs compute capability 8.9 or later, and cuda:0"),
        (
            (9, 0),
            0,
            FP8,
            "asks for fp8, which needs the package kernels, and that is not installed",
        ),
    ],
)
def test_files_in_fp8_beside_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: Any, device: Any, config: Any, sentence: Any
) -> None:
    """What cannot run is said before loading; what the library makes wider is told afterwards."""
    _without(monkeypatch, "kernels")

    def load() -> Any:
        return _asked_of(capability, config, {"": device}, FP8)

    if sentence is None:
        assert load() is None
        return
    with pytest.raises(LemError) as caught:
        load()
    assert caught.value.kind is FailureKind.CONFIG
    assert sentence in str(caught.value)


def _without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    real = quantiser.version

    def version(name: str) -> str:
        if name in packages:
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(quantiser, "version", version)


@pytest.mark.parametrize("asked", [INT8, BNB8], ids=str)
def test_a_library_that_is_not_installed(
    refused: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, asked: Any
) -> None:
    """What needs it, and the command that brings it."""
    method = asked["quant_method"]
    _without(monkeypatch, method)

    found = refused(FailureKind.CONFIG, tiny_model, quantization_config=asked)

    assert f"needs the package {method}, and that is not installed" in found
    assert found.endswith("; run: python -m pip install 'pytest-lem[quantization]'")


def test_a_library_that_is_too_old(
    refused: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found before anything is loaded."""
    monkeypatch.setattr(quantiser, "version", lambda _: "0.1")

    found = refused(FailureKind.CONFIG, tiny_model, quantization_config=INT8)

    assert found.startswith("torchao 0.1 is too old for this backend, which needs 0.15 or later")


def test_a_library_that_fails(
    refused: Any, load: Load, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it could not convert is one sentence; running out of memory stays what it is."""

    def fail(*_: Any, **named: Any) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    message = "We encountered some issues:\nfirst\nsecond"
    found = refused(FailureKind.CONFIG, tiny_model, quantization_config=INT8)
    assert "(torchao: We encountered some issues); its log says more" in found

    message = "CUDA out of memory"
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        load(tiny_model, quantization_config=INT8)


def test_groups_that_do_not_divide_the_matrices(refused: Any, tiny_model: Path) -> None:
    """The library points to a report above its message, which is only in the log."""
    found = refused(FailureKind.CONFIG, tiny_model, quantization_config={**INT8, "group_size": 48})

    assert "; `group_size` 48 must divide the width of the matrices; its log says more" in found
    assert "report" not in found


@pytest.mark.parametrize("asked", [INT8, BNB4], ids=str)
def test_weights_that_do_not_fit_in_memory(refused: Any, tiny_model: Path, asked: Any) -> None:
    """Those on the disk would stay as they were, or fail with the first token."""
    limited = {"device_map": "auto", "max_memory": {"cpu": "1KiB"}}

    found = refused(FailureKind.CONFIG, tiny_model, quantization_config=asked, **limited)

    assert found.startswith("`backends.transformers.quantization_config` needs all weights ")
    assert "give more memory by `max_memory` or `device_map`" in found
