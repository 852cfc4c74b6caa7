"""Models for the tests of the transformers backend: the demo model, and a tiny one of its kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.demo import demo_directory
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.tokens import HuggingFaceTokenizer
from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.prompts import DEFAULT_PROMPTS

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def demo() -> Path:
    """Return the directory of the converted demo model."""
    return demo_directory()


@pytest.fixture(scope="session")
def tiny_model(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with random weights, two layers, and a tokenizer that loads at once."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(demo)
    chats = [HuggingFaceTokenizer(tokenizer).in_chat(prompt) for prompt in DEFAULT_PROMPTS]
    tokenizer = tokenizer.train_new_from_iterator([chats], vocab_size=1000)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    directory = tmp_path_factory.mktemp("tiny") / "tiny"
    LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def make_adapter() -> Callable[..., Path]:
    """Return a function that makes a LoRA adapter of a model, with numbers that are not zero."""

    def make(model: Path, folder: Path, **config: Any) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(7)
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        asked = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **config}
        lora = LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **asked)
        get_peft_model(base, lora).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_adapter(
    tiny_model: Path, make_adapter: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return an adapter of the tiny model, which changes two matrices in each of two layers."""
    return make_adapter(tiny_model, tmp_path_factory.mktemp("adapter") / "adapter")


@pytest.fixture
def own_code(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Return a function that makes a copy of the tiny model whose class `Own` is the given code."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))

    def make(code: str) -> Path:
        model = shutil.copytree(tiny_model, tmp_path / "own")
        (model / "own.py").write_text(f"from transformers import LlamaForCausalLM\n{code}\n")
        config = json.loads((model / "config.json").read_text())
        config["auto_map"] = {"AutoModelForCausalLM": "own.Own"}
        (model / "config.json").write_text(json.dumps(config))
        return model

    return make


Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]


@pytest.fixture
def refused(load: Load) -> Callable[..., str]:
    """Return a function that loads what cannot be loaded and returns the sentence."""

    def sentence(kind: FailureKind, model: Path | str, *precision: str, **options: Any) -> str:
        with pytest.raises(LemError) as caught:
            load(model, *precision, **options)
        assert caught.value.kind is kind
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return sentence


@pytest.fixture(scope="session")
def load() -> Load:
    """Return a function that loads a model into this process and says what is in force."""

    def load_model(
        model: Path | str, precision: str = "float32", **options: Any
    ) -> tuple[TransformersBackend, dict[str, Any]]:
        backend = TransformersBackend()
        spec = LoadSpec(
            backend="transformers",
            model=str(model),
            precision=precision,
            options=TransformersOptions(**options),  # type: ignore[arg-type]
        )
        return backend, backend.load(spec)

    return load_model
