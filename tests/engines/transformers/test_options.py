"""Every option reaches the library: what is said to be in force is held against live objects."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import constants

from pytest_lem.backends.option import BackendOptions
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.backends.transformers.applied import in_force
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.weights import parts
from pytest_lem.measure.applied import load_differences
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]

#: Options of this library; those that every backend has belong to the host process.
OWN = {f.name: f for f in fields(TransformersOptions) if f not in fields(BackendOptions)}
TRIED = [n for n, f in OWN.items() if f.metadata["json_schema_extra"]["is_tried"]]
READ_BACK = [n for n, f in OWN.items() if f.metadata["json_schema_extra"]["is_read_back"]]
HERE = (Path(__file__).name, "test_pretrained.py")
INT8 = {"quant_method": "torchao", "quant_type": "Int8WeightOnlyConfig"}
#: What an option cannot be without.
NEEDS = {"torch_compile": {"cache_implementation": "static"}}


def cache_of(backend: TransformersBackend) -> Any:
    """Return the cache that `generate` fills."""
    return backend._first_tokens(1).past_key_values


def devices(backend: TransformersBackend) -> set[str]:
    """Return the types of devices that hold weights."""
    return {weight.device.type for weight in backend._model.parameters()}


def attentions(backend: TransformersBackend) -> set[str]:
    """Return what the attention of each layer dispatches by."""
    layers = backend._model.model.layers
    return {layer.self_attn.config._attn_implementation for layer in layers}


def compiled_work(backend: TransformersBackend) -> bool:
    """Tell whether PyTorch's profiler sees compiled code while tokens are decoded."""
    (batch,) = backend.prepare(Workload(output_tokens=2), 1).batches
    with torch.profiler.profile() as profile:
        backend.run(batch)
    return any("Torch-Compiled Region" in event.name for event in profile.events())


def stored_types(backend: TransformersBackend) -> set[torch.dtype]:
    """Return the types of what the layers' matrices are made of, whatever they call themselves."""
    weights = [backend._model.model.layers[0].mlp.up_proj.weight]
    return {part.dtype for weight in weights for part in parts(torch, weight)} - {torch.float32}


#: What the matrices are made of, by the kind that is asked for.
STORED = {
    "Int8WeightOnlyConfig": {torch.int8},
    "Int8DynamicActivationInt8WeightConfig": {torch.int8},
    "PrototypeInt4WeightOnlyConfig": {torch.uint8},
    "load_in_4bit": {torch.uint8},
    "load_in_8bit": {torch.int8},
}


def kind(config: dict[str, Any]) -> str:
    """Return the one word in a quantisation that says how."""
    return next(word for item in config.items() for word in item if word in STORED)


#: For each option that is read back and tried: whether live objects agree with a value of it.
PROOFS: dict[str, Callable[[TransformersBackend, Any], bool]] = {
    "device": lambda backend, value: devices(backend) == {value},
    "device_map": lambda backend, value: (
        devices(backend) == {"cuda" if value == "auto" and torch.cuda.is_available() else "cpu"}
    ),
    "attn_implementation": lambda backend, value: attentions(backend) == {value},
    "use_cache": lambda backend, value: (cache_of(backend) is not None) == value,
    "cache_implementation": lambda backend, value: (
        type(cache_of(backend)) is getattr(transformers, f"{value.title()}Cache")
    ),
    "torch_compile": lambda backend, value: compiled_work(backend) == value,
    "float32_matmul_precision": lambda _, value: torch.get_float32_matmul_precision() == value,
    "num_threads": lambda _, value: torch.get_num_threads() == value,
    "quantization_config": lambda backend, value: stored_types(backend) == STORED[kind(value)],
    "model_kwargs": lambda backend, value: all(
        getattr(backend._model.config, name, wanted) == wanted for name, wanted in value.items()
    ),
}


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """Undo what options set for the whole process."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


def _differences(applied: dict[str, Any], **options: Any) -> list[Any]:
    asked = asdict(TransformersOptions(**options))
    spec = LoadSpec(backend="transformers", model="", precision="float32", options=asked)
    return load_differences(spec, applied)


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, value) for n in READ_BACK if n in TRIED for value in OWN[n].metadata["examples"]],
)
def test_every_example_is_in_force(load: Load, tiny_model: Path, name: str, value: Any) -> None:
    """What was asked for is what the backend reads back, and what live objects show."""
    options = {**NEEDS.get(name, {}), name: value}

    backend, applied = load(tiny_model, **options)

    assert PROOFS[name](backend, value)
    assert _differences(applied, **options) == []


def test_just_the_options_that_say_so_are_read_back(load: Load, tiny_model: Path) -> None:
    """None that claims to be told is kept back, so that silence never passes for agreement."""
    assert sorted(load(tiny_model)[1]["options"]) == sorted(READ_BACK)


def test_every_option_has_its_test() -> None:
    """One that is read back has a proof above, one that is not a test below.

    What no example can show on any machine has tests in a file of its own.
    """
    apart = [name for name in OWN if any(test.startswith(f"test_{name}") for test in globals())]
    others = [p.read_text() for p in Path(__file__).parent.glob("test_*.py") if p.name not in HERE]
    elsewhere = [name for name in OWN if any(f"{name}=" in text for text in others)]

    assert sorted(PROOFS) == sorted(set(READ_BACK) & set(TRIED))
    assert sorted(set(TRIED) - set(READ_BACK) - set(apart)) == []
    assert sorted(set(OWN) - set(TRIED) - set(elsewhere)) == []


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ({"attn_implementation": "eager"}, {"attn_implementation": "sdpa"}),
        ({"cache_implementation": "static"}, {"cache_implementation": "dynamic"}),
        ({"use_cache": False}, {}),
        ({"float32_matmul_precision": "medium"}, {"float32_matmul_precision": "high"}),
        ({"num_threads": 1}, {"num_threads": 2}),
        ({"torch_compile": True, **NEEDS["torch_compile"]}, NEEDS["torch_compile"]),
        ({"device_map": {"": "cpu"}}, {"device_map": {"": "disk"}}),
        ({"device_map": {"no.such.module": "cpu"}}, {"device_map": {"no.such.module": "cpu"}}),
        ({"model_kwargs": {"rms_norm_eps": 1e-3}}, {"model_kwargs": {"rms_norm_eps": 1e-4}}),
        ({"quantization_config": INT8}, {}),
        ({"quantization_config": {**INT8, "group_size": 32}}, {"quantization_config": INT8}),
        ({"adapter": "./adapter"}, {}),
    ],
)
def test_another_value_is_noticed(
    load: Load, tiny_model: Path, asked: dict[str, Any], other: dict[str, Any]
) -> None:
    """A model that was loaded otherwise than asked for gives just that difference."""
    applied = load(tiny_model, **other)[1]

    assert [found.name.split(".")[2] for found in _differences(applied, **asked)] == [
        next(iter(asked))
    ]


def test_a_library_that_quietly_does_not_compile_is_noticed(load: Load, tiny_model: Path) -> None:
    """A model that waits on the disk is not compiled; the library only says so in its log."""
    options = {"torch_compile": True, "device_map": {"": "disk"}, **NEEDS["torch_compile"]}

    applied = load(tiny_model, **options)[1]

    assert [str(found) for found in _differences(applied, **options)] == [
        "`backends.transformers.torch_compile`: asked for True, in force is False"
    ]


def test_what_is_told_is_not_what_was_asked(load: Load, tiny_model: Path) -> None:
    """A model that is changed after loading tells what it does now."""
    asked = {"attn_implementation": "sdpa", "model_kwargs": {"rms_norm_eps": 1e-3}}
    backend, _ = load(tiny_model, **asked)
    backend._model.set_attn_implementation("eager")
    backend._model.config.rms_norm_eps = 0.5

    told = in_force(torch, backend._model, TransformersOptions(**asked), backend._observe())

    assert [found.in_force for found in _differences(told, **asked)] == ["eager", 0.5]


def test_threads_and_arithmetic_are_left_alone_unless_asked(load: Load, tiny_model: Path) -> None:
    """Without options the process keeps what it had."""
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")

    applied = load(tiny_model)[1]

    assert applied["num_threads"] == 1
    assert applied["precisions"]["float32_matmul"] == "high"


def test_static_caches_do_not_compile_by_themselves(load: Load, tiny_model: Path) -> None:
    """`torch_compile: false` is handed to `generate`, which may compile where there is a GPU."""
    backend, _ = load(tiny_model, cache_implementation="static")

    assert backend._generation.of_probe(1).disable_compile is True


def test_model_kwargs_reach_from_pretrained(
    load: Load, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are handed on, those of which a loaded model keeps no trace as well."""
    given: dict[str, Any] = {}
    real = transformers.AutoModelForCausalLM.from_pretrained

    def noted(*arguments: Any, **named: Any) -> Any:
        given.update(named)
        return real(*arguments, **named)

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", noted)

    applied = load(tiny_model, model_kwargs={"use_safetensors": True, "rms_norm_eps": 1e-3})[1]

    assert given["use_safetensors"] is True
    assert applied["options"]["model_kwargs"] == {"rms_norm_eps": 1e-3}


def test_model_kwargs_change_what_the_model_computes(load: Load, tiny_model: Path) -> None:
    """A shorter model and its shorter context are what is measured."""
    backend, applied = load(
        tiny_model, model_kwargs={"num_hidden_layers": 1, "max_position_embeddings": 64}
    )

    assert len(backend._model.model.layers) == 1
    assert applied["context_length"] == 64
    assert applied["parameters"] == sum(p.numel() for p in backend._model.parameters())


@pytest.mark.parametrize(("limit", "place"), [("4GiB", "cpu"), ("1KiB", "disk")])
def test_max_memory_decides_where_weights_are(
    load: Load, tiny_model: Path, limit: str, place: str
) -> None:
    """A model above the limit goes elsewhere, is said to be there, and still computes."""
    backend, applied = load(tiny_model, device_map="auto", max_memory={"cpu": limit})

    assert applied["device_map"] == {"": place}
    assert devices(backend) == {"cpu" if place == "cpu" else "meta"}
    assert applied["precisions"]["activations"] == "float32"


def test_modules_are_told_apart_by_where_they_are(load: Load, tiny_model: Path) -> None:
    """Every module of a map is looked up by itself, one without weights by its buffers."""
    asked = {
        "model.embed_tokens": "cpu",
        "model.layers": "disk",
        "model.norm": "cpu",
        "model.rotary_emb": "cpu",
        "lm_head": "disk",
    }

    applied = load(tiny_model, device_map=asked)[1]

    assert applied["options"]["device_map"] == applied["device_map"] == asked
    assert applied["device"] == "cpu"


@pytest.fixture
def hub(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Lay out a cache of the hub, a model in two versions; return commits by their branches."""
    commits = {"main": "a" * 40, "other": "b" * 40}
    repository = tmp_path / "models--nobody--tiny"
    (repository / "refs").mkdir(parents=True)
    for branch, commit in commits.items():
        (repository / "refs" / branch).write_text(commit)
        shutil.copytree(tiny_model, repository / "snapshots" / commit)
    config = repository / "snapshots" / commits["other"] / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 0.5'))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return commits


@pytest.mark.parametrize(
    ("revision", "branch"),
    [(None, "main"), ("main", "main"), ("other", "other"), ("b" * 40, "other")],
)
def test_revision_chooses_the_files(
    load: Load, hub: dict[str, str], revision: str | None, branch: str
) -> None:
    """A branch, a commit or neither of an id: its files are loaded, its commit is recorded."""
    backend, applied = load("nobody/tiny", revision=revision)

    assert backend._model.config.rms_norm_eps == {"main": 1e-6, "other": 0.5}[branch]
    assert applied["model_revision"] == hub[branch]
    assert applied["model_sha256"] is None


@pytest.mark.parametrize("is_trusted", [False, True])
def test_trust_remote_code_lets_it_run(
    load: Load, own_code: Callable[[str], Path], is_trusted: bool
) -> None:
    """Code that a model brings runs when that was asked for by name, and never else."""
    model = own_code("class Own(LlamaForCausalLM): ...")

    applied = load(model, trust_remote_code=is_trusted)[1]

    assert applied["architecture"] == ("Own" if is_trusted else "LlamaForCausalLM")
