"""Bad files and options that the library does not take: one sentence each, with its kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import resolve
from pytest_lem.errors import FailureKind, LemError

INT8 = {"quant_method": "torchao", "quant_type": "Int8WeightOnlyConfig"}
FLOAT8 = {"quant_method": "torchao", "quant_type": "Float8WeightOnlyConfig"}
BNB = {"quant_method": "bitsandbytes"}
BNB4 = {**BNB, "load_in_4bit": True}


def _copy(model: Path, folder: Path) -> Path:
    return shutil.copytree(model, folder / "copy")


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_an_id_that_is_not_there(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without network only what was downloaded before can be loaded."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    found = refused(FailureKind.DATA, "nobody/nothing")

    assert found.startswith("cannot load the model nobody/nothing: ")


def test_a_directory_that_is_not_there(refused: Any, tmp_path: Path) -> None:
    """The sentence says what would do."""
    found = refused(FailureKind.DATA, tmp_path / "nothing")

    assert found.endswith("nothing; give a directory or a Hugging Face id")


def test_weights_that_are_cut_off(refused: Any, tiny_model: Path, tmp_path: Path) -> None:
    """A truncated file is named with the model."""
    weights = _copy(tiny_model, tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    assert "copy: " in refused(FailureKind.DATA, weights.parent)


def test_weights_with_a_gap(refused: Any, tiny_model: Path, tmp_path: Path) -> None:
    """The library would make the missing ones up at random and only say so in its log."""
    weights = _copy(tiny_model, tmp_path) / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.norm.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})

    found = refused(FailureKind.DATA, weights.parent)

    assert "lack 1 parameters of the model (model.norm.weight), which would be made up" in found


def test_weights_of_other_shapes(refused: Any, tiny_model: Path, tmp_path: Path) -> None:
    """A configuration that belongs to other weights is found out."""
    model = _copy(tiny_model, tmp_path)
    _change(model / "config.json", '"intermediate_size": 128', '"intermediate_size": 256')

    assert "its weights have other shapes than its configuration" in refused(
        FailureKind.DATA, model
    )


def test_a_configuration_that_makes_no_sense(
    refused: Any, tiny_model: Path, tmp_path: Path
) -> None:
    """The field and what is wrong with it are in the sentence."""
    model = _copy(tiny_model, tmp_path)
    _change(model / "config.json", '"hidden_size": 64', '"hidden_size": "wide"')

    found = refused(FailureKind.DATA, model)

    assert "field 'hidden_size': TypeError: " in found


def test_code_that_was_not_asked_for(refused: Any, tiny_model: Path, tmp_path: Path) -> None:
    """A model that cannot do without its own code is refused, and its code has not run."""
    model, ran = _copy(tiny_model, tmp_path), tmp_path / "ran"
    (model / "own.py").write_text(f"open({str(ran)!r}, 'w')\n")
    classes = '"auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}'
    _change(model / "config.json", '"model_type": "llama"', f'"model_type": "x", {classes}')

    assert "cannot load the model" in refused(FailureKind.DATA, model)
    assert not ran.exists()


def test_an_attention_that_is_not_installed(refused: Any, tiny_model: Path) -> None:
    """What was asked for, why it cannot be, and what can be done."""
    found = refused(FailureKind.CONFIG, tiny_model, attn_implementation="flash_attention_2")

    assert found.startswith(
        "`backends.transformers.attn_implementation: flash_attention_2` cannot be had here: "
    )
    assert found.endswith("; install what it needs, or take `sdpa`")


def test_an_attention_that_nobody_knows(refused: Any, tiny_model: Path) -> None:
    """A slip of the pen is no fault of the model."""
    assert "attn_implementation: egaer`" in refused(
        FailureKind.CONFIG, tiny_model, attn_implementation="egaer"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("no_such_argument", 1), ("max_position_embeddings", "long")]
)
def test_model_kwargs_that_the_model_does_not_take(
    refused: Any, tiny_model: Path, name: str, value: Any
) -> None:
    """An unknown name and a wrong type are blamed on the setting, by its full name."""
    found = refused(FailureKind.CONFIG, tiny_model, model_kwargs={name: value})

    assert found.startswith(f"`backends.transformers.model_kwargs.{name}` is not taken")


def test_model_kwargs_that_need_more_weights(refused: Any, tiny_model: Path) -> None:
    """A layer more than there are weights for would be random."""
    assert "lack 9 parameters" in refused(
        FailureKind.DATA, tiny_model, model_kwargs={"num_hidden_layers": 3}
    )


def test_a_package_that_a_model_needs(refused: Any, own_code: Callable[[str], Path]) -> None:
    """A missing package is a matter of the installation and not of the files."""
    model = own_code("import no_such_package\nclass Own(LlamaForCausalLM): ...")

    found = refused(FailureKind.CONFIG, model, trust_remote_code=True)

    assert "no_such_package" in found


def test_a_cache_off_the_gpu_without_one(refused: Any, tiny_model: Path) -> None:
    """There is nowhere to take it from."""
    found = refused(FailureKind.CONFIG, tiny_model, device="cpu", cache_implementation="offloaded")

    assert found.endswith("but the model runs on the CPU; take `dynamic` or `static`")


def test_an_operation_that_this_machine_lacks(
    refused: Any, own_code: Callable[[str], Path]
) -> None:
    """A precision in which one operation cannot be computed is found by computing a token."""
    model = own_code(
        "import torch\n"
        "class Own(LlamaForCausalLM):\n"
        "    def forward(self, *given, **named):\n"
        "        torch.linalg.inv(self.lm_head.weight[:4, :4])\n"
        "        return super().forward(*given, **named)"
    )

    found = refused(FailureKind.CONFIG, model, "float16", device="cpu", trust_remote_code=True)

    assert found.startswith("the model loads, but does not compute a token in float16 on cpu (")
    assert "Low precision dtypes not supported. Got Half" in found


@pytest.mark.parametrize("module", ["torch", "transformers"])
def test_a_release_that_is_too_old(
    refused: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """It is found before anything is loaded, and the command to run is there."""
    monkeypatch.setattr(f"{module}.__version__", "1.40")

    found = refused(FailureKind.CONFIG, tiny_model)

    assert found.startswith(f"{module} 1.40 is too old for this backend, which needs ")
    assert found.endswith("; run: python -m pip install 'pytest-lem[transformers]'")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "cpu", "device_map": "auto"}, "`device_map` says where the model runs"),
        ({"device_map": {"": "gpu"}}, "puts `` on `gpu`, which is neither"),
        ({"device_map": {"model": -1}}, "puts `model` on `-1`, which is neither"),
        ({"max_memory": {"cpu": "4GiB"}}, "set `device_map: auto`"),
        ({"max_memory": {"cpu": "4GiB"}, "device_map": {"": "cpu"}}, "set `device_map: auto`"),
        ({"max_memory": {"gpu": "4GiB"}, "device_map": "auto"}, "not `gpu`"),
        ({"max_memory": {"cpu": "4Gb"}, "device_map": "auto"}, "such as 16GiB, not `4Gb`"),
        ({"use_cache": False, "cache_implementation": "static"}, "which `use_cache: false` drops"),
        ({"cache_implementation": "paged"}, "input should be 'dynamic', 'static'"),
        ({"torch_compile": True}, "needs `cache_implementation: static`"),
        ({"torch_compile": True, "cache_implementation": "dynamic"}, "needs `cache_"),
        ({"float32_matmul_precision": "low"}, "input should be 'highest', 'high'"),
        ({"num_threads": 0}, "greater than or equal to 1"),
        ({"model_kwargs": {"dtype": "float16"}}, "`model_kwargs.dtype` is set by `precision`"),
        ({"model_kwargs": {"token": "secret"}}, "the variable HF_TOKEN"),
        ({"model_kwargs": {"device_map": "auto"}}, "is set by `device_map`"),
        ({"attn_implementation": ""}, "at least 1 character"),
        ({"adapter": ""}, "at least 1 character"),
        ({"merge_adapter": False}, "are about an `adapter`"),
        ({"adapter_revision": "main"}, "are about an `adapter`"),
        ({"adapter": "a", "merge_adapter": True, "quantization_config": INT8}, "weights anew"),
        ({"model_kwargs": {"quantization_config": INT8}}, "is set by `quantization_config`"),
        ({"quantization_config": {"quant_type": "x"}}, "is one of torchao, bitsandbytes, fp8"),
        ({"quantization_config": {"quant_method": "hqq"}}, "is one of torchao, bitsandbytes, fp8"),
        ({"quantization_config": {"quant_method": "torchao"}}, "quant_type` is missing"),
        ({"quantization_config": {**INT8, "quant_type": "Int2"}}, "one of Int8WeightOnlyConfig"),
        ({"quantization_config": {**INT8, "group_size": 0}}, "above 0, not 0"),
        ({"quantization_config": {**INT8, "group_size": True}}, "above 0, not True"),
        ({"quantization_config": {**INT8, "load_in_4bit": True}}, "that `torchao` takes here"),
        ({"quantization_config": {**FLOAT8, "group_size": 32}}, "no meaning for Float8Weight"),
        ({"quantization_config": BNB}, "one of `quantization_config.load_in_4bit` and"),
        ({"quantization_config": {**BNB4, "load_in_8bit": True}}, "one of `quantization_config"),
        ({"quantization_config": {**BNB4, "llm_int8_threshold": 1}}, "the other number of bits"),
        ({"quantization_config": {**BNB4, "bnb_4bit_quant_type": "int4"}}, "one of nf4, fp4"),
        ({"quantization_config": {"quant_method": "fp8", "weight_block_size": [8]}}, "two whole"),
        ({"quantization_config": {"quant_method": "gptq", "bits": "four"}}, "above 0, not 'four'"),
    ],
)
def test_options_that_exclude_each_other(options: dict[str, Any], sentence: str) -> None:
    """They are refused where settings are read, with the place where they were written."""
    layers = Layers()
    layers.put(("backends", "transformers"), options, "lem.yaml:3")

    with pytest.raises(LemError) as caught:
        resolve(layers, default_preset="smoke", options_of=lambda _: TransformersBackend.Options)

    assert caught.value.kind is FailureKind.CONFIG
    assert str(caught.value).startswith("lem.yaml:3: `backends.transformers")
    assert sentence in str(caught.value)
