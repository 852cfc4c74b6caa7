"""How the weights of a live model are quantised, by the classes of its modules and tensors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from pytest_lem.backends.transformers.weights import BITS, is_quantised, stored_as, type_name

#: The configurations of torchao by the tensor class that each makes, and whether that also
#: quantises what it is multiplied with.
_TORCHAO = {
    ("Int8Tensor", False): "Int8WeightOnlyConfig",
    ("Int8Tensor", True): "Int8DynamicActivationInt8WeightConfig",
    ("Int4Tensor", False): "Int4WeightOnlyConfig",
    ("Int4OpaqueTensor", False): "PrototypeInt4WeightOnlyConfig",
    ("Float8Tensor", False): "Float8WeightOnlyConfig",
    ("Float8Tensor", True): "Float8DynamicActivationFloat8WeightConfig",
}


def quantised_in(torch: Any, model: Any) -> dict[str, Any] | None:
    """Return how the modules of a model are quantised; None where none is.

    `modules` is how many they are, `left_out` how many linear ones the library should have taken
    and did not, `bits` of a weight; all else stands in the words of `quantization_config`. What
    differs between modules, or is not told, is None.
    """
    found: dict[str, set[Any]] = defaultdict(set)
    modules, left_out = 0, 0
    kept = _kept(model)
    for name, module in model.named_modules():
        if is_quantised(torch, module):
            modules += 1
            for key, value in _described(torch, model, module).items():
                found[key].add(tuple(value) if isinstance(value, list) else value)
        elif isinstance(module, torch.nn.Linear) and not _is_kept(name, module, kept):
            left_out += 1
    if not modules:
        return None
    alike = {key: values.pop() if len(values) == 1 else None for key, values in found.items()}
    return {**alike, "modules": modules, "left_out": left_out}


def as_asked(asked: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> Any:
    """Return what is in force for `quantization_config`: all of it, or in words what is not.

    Libraries pass over matrices that do not suit them, and only say so in their logs.
    """
    if found is None:
        return None
    modules, left_out = found["modules"], found["left_out"]
    if asked and left_out:
        return f"{found['quant_method']} in {modules} of {modules + left_out} linear modules"
    told = {key: value for key, value in found.items() if key not in ("modules", "left_out")}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in told.items()}


def _kept(model: Any) -> Collection[Any]:
    """Return what the library leaves alone: names, and the module that gives the logits."""
    quantiser = getattr(model, "hf_quantizer", None)
    head = getattr(model, "get_output_embeddings", lambda: None)()
    return [*(getattr(quantiser, "modules_to_not_convert", None) or ()), head]


def _is_kept(name: str, module: Any, kept: Collection[Any]) -> bool:
    """Tell whether a module was never meant; matrices of adapters are none of the model's."""
    is_adapter = ".lora_" in name
    return is_adapter or any(one in name if isinstance(one, str) else one is module for one in kept)


def _described(torch: Any, model: Any, module: Any) -> dict[str, Any]:
    kind, weight = type(module), getattr(module, "weight", None)
    if kind.__module__.startswith("bitsandbytes"):
        return _of_bitsandbytes(module)
    if type(weight).__module__.startswith("torchao"):
        return _of_torchao(torch, weight)
    return _of_checkpoint(model, module)


def _of_torchao(torch: Any, weight: Any) -> dict[str, Any]:
    is_whole = getattr(weight, "act_quant_kwargs", None) is not None
    name = type(weight).__name__
    block = getattr(weight, "block_size", None)
    return {
        "quant_method": "torchao",
        "quant_type": _TORCHAO.get((name, is_whole), name),
        "group_size": block[-1] if block else None,
        "bits": BITS.get(stored_as(torch, weight)[0]),
    }


def _of_bitsandbytes(module: Any) -> dict[str, Any]:
    state = getattr(module.weight, "quant_state", None)
    method: dict[str, Any] = {"quant_method": "bitsandbytes"}
    if state is None:
        return {
            **method,
            "load_in_4bit": False,
            "load_in_8bit": True,
            "llm_int8_threshold": module.state.threshold,
            "bits": 8,
        }
    return {
        **method,
        "load_in_4bit": True,
        "load_in_8bit": False,
        "bnb_4bit_quant_type": state.quant_type,
        "bnb_4bit_use_double_quant": bool(state.nested),
        "bnb_4bit_compute_dtype": str(module.compute_dtype).removeprefix("torch."),
        "bits": 4,
    }


def _of_checkpoint(model: Any, module: Any) -> dict[str, Any]:
    """Describe a module of a library that is not known here, as far as it and the file tell."""
    config = getattr(model.config, "quantization_config", None)
    method = _read(config, "quant_method")
    weights = Counter(type_name(weight) for weight in module.parameters(recurse=False))
    stored = next((BITS[name] for name in weights if name in BITS), None)
    block = getattr(module, "block_size", None)
    return {
        "quant_method": str(getattr(method, "value", method)) if method else None,
        "bits": getattr(module, "bits", stored),
        "group_size": getattr(module, "group_size", None),
        "weight_block_size": tuple(block) if block else None,
    }


def _read(config: Any, name: str) -> Any:
    return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)
