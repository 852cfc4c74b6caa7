"""What is read back from a live model: types, places, quantised modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.backends.transformers.probe import observe

Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]


@pytest.mark.parametrize("precision", TransformersBackend.precisions)
def test_precision_is_that_of_the_live_model(load: Load, tiny_model: Path, precision: str) -> None:
    """Weights, activations, KV cache and products, each from tensors of the model at work."""
    backend, applied = load(tiny_model, precision)

    types = {parameter.dtype for parameter in backend._model.parameters()}
    assert types == {getattr(torch, precision)}
    assert applied["dtype"] == {precision: applied["parameters"]}
    assert applied["precision"] == precision
    found = applied["precisions"]
    assert {name: found[name] for name in ("activations", "kv_cache", "compute")} == {
        "activations": precision,
        "kv_cache": precision,
        "compute": precision,
    }


def test_types_are_observed_and_not_concluded(load: Load, tiny_model: Path) -> None:
    """Where the arithmetic has another type than the weights, that is what is seen."""
    backend, applied = load(tiny_model)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        observed = observe(torch, backend._model, backend._first_tokens)

    assert applied["dtype"] == {"float32": applied["parameters"]}
    assert applied["precisions"]["compute"] == "float32"
    assert observed.compute == "bfloat16"


def test_no_hook_stays_behind(load: Load, tiny_model: Path) -> None:
    """What watched the first token is gone, also after a failure."""
    backend, _ = load(tiny_model)

    def fail(_: int) -> None:
        raise RuntimeError("no token")

    with pytest.raises(RuntimeError, match="no token"):
        observe(torch, backend._model, fail)

    assert all(not module._forward_hooks for module in backend._model.modules())


def test_without_a_cache_its_type_is_unknown(load: Load, tiny_model: Path) -> None:
    """No cache has no type, and is none of the kinds."""
    applied = load(tiny_model, use_cache=False)[1]

    assert applied["precisions"]["kv_cache"] is None
    assert applied["options"]["cache_implementation"] is None


def test_weights_are_told_by_the_class_of_their_module(load: Load, tiny_model: Path) -> None:
    """The parameters of all classes are those of the model, one by one."""
    backend, applied = load(tiny_model)

    weights = applied["precisions"]["weights"]
    assert set(weights) == {"Embedding", "Linear", "LlamaRMSNorm"}
    layers = [m for m in backend._model.modules() if type(m) is torch.nn.Linear]
    assert weights["Linear"] == {"float32": sum(m.weight.numel() for m in layers)}
    assert sum(n for types in weights.values() for n in types.values()) == applied["parameters"]


def test_a_plain_model_has_no_quantised_module(load: Load, tiny_model: Path) -> None:
    """The count is zero where nothing is quantised."""
    assert load(tiny_model)[1]["precisions"]["quantised_modules"] == 0
