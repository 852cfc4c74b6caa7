"""LoRA adapters: that they are in force, merged or not, and what is said where they do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from pytest_lem.backends.protocol import Request
from pytest_lem.backends.transformers import TransformersBackend, adapter
from pytest_lem.errors import FailureKind
from pytest_lem.results.comparability import comparability
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]
INT8 = {"quant_method": "torchao", "quant_type": "Int8WeightOnlyConfig"}
NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def logits(backend: TransformersBackend) -> torch.Tensor:
    """Return what a model makes of a few tokens."""
    with torch.inference_mode():
        return backend._model(torch.arange(2, 10)[None]).logits.float()


def answers(backend: TransformersBackend) -> list[Request]:
    """Generate a few tokens for two prompts."""
    workload = Workload(prompts=("Why is the sky blue?", "Name a river."), output_tokens=12)
    batches = backend.prepare(workload, 2).batches
    return [request for batch in batches for request in backend.requests(backend.run(batch))]


def test_an_adapter_changes_what_the_model_says(
    load: Load, tiny_model: Path, tiny_adapter: Path
) -> None:
    """Its modules, rank and hash are told; the class of the model stays what it was."""
    plain, without = load(tiny_model)
    backend, applied = load(tiny_model, adapter=str(tiny_adapter))

    assert not torch.allclose(logits(backend), logits(plain), atol=0.01)
    found = applied["adapter"]
    assert (found["modules"], found["rank"], found["is_merged"]) == (4, 4, False)
    assert applied["options"]["adapter"] == str(tiny_adapter)
    assert applied["options"]["merge_adapter"] is False
    assert applied["architecture"] == without["architecture"]
    assert applied["parameters"] > without["parameters"]
    assert (without["adapter"], without["options"]["adapter"]) == (None, None)


def test_merged_says_the_same_as_beside(load: Load, tiny_model: Path, tiny_adapter: Path) -> None:
    """In float32; once in the weights, nothing of it is left to compute."""
    beside = load(tiny_model, adapter=str(tiny_adapter), merge_adapter=False)[0]
    merged, applied = load(tiny_model, adapter=str(tiny_adapter), merge_adapter=True)

    torch.testing.assert_close(logits(merged), logits(beside), atol=1e-5, rtol=1e-5)
    assert [r.token_ids for r in answers(merged)] == [r.token_ids for r in answers(beside)]
    found = applied["adapter"]
    assert (found["modules"], found["rank"], found["is_merged"]) == (4, 4, True)
    assert applied["options"]["merge_adapter"] is True
    assert applied["parameters"] == load(tiny_model)[1]["parameters"]
    assert type(merged._model.model.layers[0].self_attn.q_proj) is torch.nn.Linear


def test_the_demo_model_with_an_adapter(
    load: Load, demo: Path, make_adapter: Callable[..., Path], tmp_path: Path
) -> None:
    """SmolLM2: 60 matrices, other words, and the same ones merged as beside."""
    made = make_adapter(demo, tmp_path / "lora", r=8)
    plain, beside, merged = (
        load(demo, **options)
        for options in ({}, {"adapter": str(made)}, {"adapter": str(made), "merge_adapter": True})
    )

    said = [[r.token_ids for r in answers(backend)] for backend, _ in (plain, beside, merged)]
    assert said[0] != said[1] == said[2]
    for _, applied in (beside, merged):
        assert (applied["adapter"]["modules"], applied["adapter"]["rank"]) == (60, 8)


def test_an_adapter_has_the_precision_of_the_model(
    load: Load, tiny_model: Path, tiny_adapter: Path
) -> None:
    """It is stored in float32 and computed in bfloat16."""
    applied = load(tiny_model, "bfloat16", adapter=str(tiny_adapter))[1]

    assert applied["dtype"] == {"bfloat16": applied["parameters"]}
    assert applied["precisions"]["compute"] == "bfloat16"


@pytest.mark.parametrize("asked", [INT8, NF4], ids=str)
def test_beside_quantised_weights(
    load: Load, tiny_model: Path, tiny_adapter: Path, asked: Any
) -> None:
    """Both are in force, and the matrices of the adapter are not taken for left out."""
    backend, applied = load(tiny_model, adapter=str(tiny_adapter), quantization_config=asked)
    without = load(tiny_model, quantization_config=asked)[0]

    assert applied["adapter"]["modules"] == 4
    assert (applied["quantization"]["modules"], applied["quantization"]["left_out"]) == (14, 0)
    assert not torch.allclose(logits(backend), logits(without), atol=0.01)


def test_ranks_that_differ_are_none(
    load: Load, tiny_model: Path, make_adapter: Callable[..., Path], tmp_path: Path
) -> None:
    """One number would be wrong of some of the modules."""
    made = str(make_adapter(tiny_model, tmp_path / "lora", rank_pattern={"v_proj": 2}))

    for is_merged in (False, True):
        found = load(tiny_model, adapter=made, merge_adapter=is_merged)[1]["adapter"]
        assert (found["modules"], found["rank"]) == (4, None)


def test_another_adapter_forbids_the_comparison(
    load: Load, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    """The same folder with other numbers, or other settings, is another model."""
    other = shutil.copytree(tiny_adapter, tmp_path / "lora")
    config = json.loads((other / CONFIG).read_text())
    (other / CONFIG).write_text(json.dumps({**config, "lora_alpha": 16}))

    hashes = set()
    for options in ({}, {"adapter": str(tiny_adapter)}, {"adapter": str(other)}):
        applied = load(tiny_model, **options)[1]
        facts = comparability(meters={}, environment={}, applied=applied, devices={})
        hashes.add(facts.hash)
        told = facts.refuse.get("model.adapter_sha256")
        assert told == (applied["adapter"]["sha256"] if options else None)
    assert len(hashes) == 3


@pytest.fixture
def copy(tiny_adapter: Path, tmp_path: Path) -> Path:
    """Return an adapter that may be spoilt."""
    return shutil.copytree(tiny_adapter, tmp_path / "lora")


def _drop(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights[min(weights)]
    save_file(weights, folder / WEIGHTS)


def _further_layer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = max(weights)
    more = {name.replace("layers.1.", "layers.7."): weights[name].clone()}
    save_file({**weights, **more}, folder / WEIGHTS)


def _other_modules(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "target_modules": ["c_attn"]}))


def _other_rank(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "r": 2}))


def _cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_drop, "it has no weights for model.layers.0.self_attn.q_proj.lora_A.default.weight"),
        (_further_layer, "the model has no "),
        (_other_modules, "Target modules {'c_attn'} not found in the base model"),
        (_other_rank, "size mismatch for "),
        (_cut, "Error while deserializing header"),
    ],
)
def test_an_adapter_that_does_not_fit(
    refused: Any, tiny_model: Path, copy: Path, spoil: Callable[[Path], None], why: str
) -> None:
    """What is lacking or too much is in one sentence, with the folder."""
    spoil(copy)

    found = refused(FailureKind.DATA, tiny_model, adapter=str(copy))

    start = f"`backends.transformers.adapter: {copy}` does not fit the model: {why}"
    assert found.startswith(start)
    assert found.endswith("; name one that was made of this model")


def test_memory_that_runs_out_is_no_misfit(
    load: Load, tiny_model: Path, tiny_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays what it is, since another adapter would not help."""

    def fail(*_: Any, **named: Any) -> None:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(peft.utils, "load_peft_weights", fail)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        load(tiny_model, adapter=str(tiny_adapter))


def test_an_adapter_of_another_model(refused: Any, demo: Path, tiny_adapter: Path) -> None:
    """Its matrices have other shapes."""
    found = refused(FailureKind.DATA, demo, adapter=str(tiny_adapter))

    assert "does not fit the model: " in found


def _no_config(folder: Path) -> None:
    (folder / CONFIG).unlink()


def _only_pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


def _no_json(folder: Path) -> None:
    (folder / CONFIG).write_text("[")


def _nothing(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_no_config, "it has no adapter_config.json"),
        (_only_pickled, "it has no adapter_model.safetensors"),
        (_no_json, "its adapter_config.json does not say what it is"),
        (_nothing, "there is no such folder"),
    ],
)
def test_files_that_are_not_there(
    refused: Any, tiny_model: Path, copy: Path, spoil: Callable[[Path], None], why: str
) -> None:
    """A folder without them is no adapter; pickled weights are not read."""
    spoil(copy)

    found = refused(FailureKind.DATA, tiny_model, adapter=str(copy))

    assert f"`backends.transformers.adapter: {copy}` cannot be read: {why}; name a folder" in found


def test_an_adapter_of_another_kind(refused: Any, tiny_model: Path, copy: Path) -> None:
    """There are many kinds; this is for one."""
    config = json.loads((copy / CONFIG).read_text())
    (copy / CONFIG).write_text(json.dumps({**config, "peft_type": "IA3"}))

    found = refused(FailureKind.CONFIG, tiny_model, adapter=str(copy))

    assert found.endswith("is of the kind IA3; only LORA is known here")


def test_without_peft(
    refused: Any, tiny_model: Path, tiny_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs it, and the command that brings it."""
    monkeypatch.setattr(adapter, "find_spec", lambda _: None)

    found = refused(FailureKind.CONFIG, tiny_model, adapter=str(tiny_adapter))

    assert found == (
        "`backends.transformers.adapter` needs the package peft, which is not installed; run: "
        "python -m pip install 'pytest-lem[adapters]'"
    )


def test_weights_on_the_disk(refused: Any, tiny_model: Path, tiny_adapter: Path) -> None:
    """They are fetched when they are needed, without the adapter."""
    found = refused(
        FailureKind.CONFIG, tiny_model, adapter=str(tiny_adapter), device_map={"": "disk"}
    )

    assert found.startswith("`backends.transformers.adapter` needs all weights in memory")


@pytest.fixture
def hub(tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Lay out a cache of the hub, an adapter in two versions; return commits by their branches."""
    commits = {"main": "a" * 40, "other": "b" * 40}
    repository = tmp_path / "hub" / "models--nobody--lora"
    (repository / "refs").mkdir(parents=True)
    for branch, commit in commits.items():
        (repository / "refs" / branch).write_text(commit)
        shutil.copytree(copy, repository / "snapshots" / commit)
    _drop(repository / "snapshots" / commits["other"])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return commits


def test_an_adapter_of_the_hub(
    load: Load, refused: Any, tiny_model: Path, hub: dict[str, str]
) -> None:
    """Its branch chooses the files, and the commit is kept."""
    found = load(tiny_model, adapter="nobody/lora")[1]["adapter"]
    assert (found["revision"], found["modules"]) == (hub["main"], 4)

    other = refused(FailureKind.DATA, tiny_model, adapter="nobody/lora", adapter_revision="other")
    assert "it has no weights for " in other


def test_an_adapter_that_the_hub_does_not_have(
    refused: Any, tiny_model: Path, hub: dict[str, str]
) -> None:
    """Without network only what was downloaded before can be loaded."""
    found = refused(FailureKind.DATA, tiny_model, adapter="nobody/nothing")

    assert "cannot be read: there is no such folder, and " in found


def test_a_branch_of_a_folder(refused: Any, tiny_model: Path, tiny_adapter: Path) -> None:
    """A folder has none."""
    found = refused(
        FailureKind.CONFIG, tiny_model, adapter=str(tiny_adapter), adapter_revision="main"
    )

    assert "`backends.transformers.adapter_revision` is for a Hugging Face id" in found
