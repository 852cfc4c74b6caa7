"""What a model does when it computes its first tokens, observed from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.transformers.weights import is_quantised, multiplied_in, type_name

_CACHES = {
    ("DynamicCache", False): "dynamic",
    ("DynamicCache", True): "offloaded",
    ("StaticCache", False): "static",
    ("StaticCache", True): "offloaded_static",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen while tokens were generated.

    Attributes:
        activations: type of most numbers that modules returned.
        compute: type in which most numbers of products with matrices of weights came about: what
            a quantised module brings its input to, else the type of the product.
        kv_cache: type of most numbers in the KV cache; None without one.
        cache_implementation: kind of the KV cache as it is asked for; None without one, the name
            of its class for one of another kind.
        is_compiled: whether decoding ran as compiled.

    """

    activations: str | None
    compute: str | None
    kv_cache: str | None
    cache_implementation: str | None
    is_compiled: bool


def observe(torch: Any, model: Any, generate: Callable[[int], Any]) -> Observed:
    """Watch `generate`, which takes how many tokens to make and returns the library's answer.

    The first token shows the types; what decodes the second runs compiled, if anything does, and
    is not watched, since watching would be compiled into it.
    """
    returned, multiplied = Counter[str](), Counter[str]()
    with _watched(torch, model, returned, multiplied):
        cache = _cache_of(generate(1))
    graphs = _compiled_graphs(torch)
    generate(2)
    is_compiled = hasattr(model, "_compiled_call") and _compiled_graphs(torch) > graphs
    return Observed(
        activations=most(returned),
        compute=most(multiplied),
        kv_cache=most(_types_in(cache)),
        cache_implementation=_implementation(cache),
        is_compiled=is_compiled,
    )


def most(counts: Counter[str]) -> str | None:
    """Return what there is most of, None if there is nothing."""
    return counts.most_common(1)[0][0] if counts else None


@contextmanager
def _watched(
    torch: Any, model: Any, returned: Counter[str], multiplied: Counter[str]
) -> Iterator[None]:
    """Count the numbers that go through modules, by type, until the end of the block."""

    def note(module: Any, given: Any, output: Any) -> None:
        numbers = _numbers(torch, output)
        returned.update(numbers)
        has_matrix = any(weight.dim() > 1 for weight in module.parameters(recurse=False))
        if (has_matrix or is_quantised(torch, module)) and _numbers(torch, given):
            own = multiplied_in(torch, module)
            multiplied.update({own: sum(numbers.values())} if own else numbers)

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _numbers(torch: Any, value: Any) -> dict[str, int]:
    """Count by type the numbers of a tensor, or of the first of several; ids of tokens are none."""
    tensor = value[0] if isinstance(value, tuple) and value else value
    if torch.is_tensor(tensor) and tensor.is_floating_point():
        return {type_name(tensor): tensor.numel()}
    return {}


def _cache_of(answer: Any) -> Any:
    """Return the cache that was filled; models with a state in its place call it otherwise."""
    caches = (getattr(answer, name, None) for name in ("past_key_values", "cache_params"))
    return next((cache for cache in caches if cache is not None), None)


def _types_in(cache: Any) -> Counter[str]:
    counts = Counter[str]()
    for layer in getattr(cache, "layers", []):
        for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
            if tensor is not None:
                counts[type_name(tensor)] += tensor.numel()
    return counts


def _implementation(cache: Any) -> str | None:
    if cache is None:
        return None
    name = type(cache).__name__
    return _CACHES.get((name, bool(getattr(cache, "offloading", False))), name)


def _compiled_graphs(torch: Any) -> int:
    """Return how many graphs this process has compiled; it compiles nothing by asking."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])  # noqa: SLF001
