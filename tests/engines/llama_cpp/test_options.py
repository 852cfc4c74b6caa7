"""Every option of llama.cpp reaches the live engine, and what is told of it is its own word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import xllamacpp
from pydantic import TypeAdapter, ValidationError

from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
from pytest_lem.backends.llama_cpp.params import common_params
from pytest_lem.backends.protocol import Request
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[LlamaCppBackend, dict[str, Any]]]
Generate = Callable[..., list[Request]]

#: Of the demo model: layers, and how many numbers each keeps of a token's keys, or of its values.
LAYERS, NUMBERS = 30, 192
#: Bytes of a number, whose quantised ones come in blocks of 32 with two bytes for all of them.
BYTES = {"f32": 4, "f16": 2, "q8_0": 34 / 32}


def _logged(backend: LlamaCppBackend, line: str) -> str:
    return re.findall(line, backend._engine.log)[-1]


def _cache_type(backend: LlamaCppBackend, half: str) -> str:
    """Return the type whose size the cache has."""
    cells = sum(slot["n_ctx"] for slot in backend._engine.ask("/slots"))
    size_mib = float(_logged(backend, rf" {half} \(\w+\): +([\d.]+) MiB"))
    number_bytes = size_mib * 2**20 / (cells * LAYERS * NUMBERS)
    return min(BYTES, key=lambda name: abs(BYTES[name] - number_bytes))


def _largest_step(backend: LlamaCppBackend) -> int:
    """Return how many tokens of a long prompt the engine takes at once."""
    prepared = backend.prepare(Workload(input_tokens=250, output_tokens=1), 1)
    events = backend.run(prepared.batches[0]).events
    return json.loads(events[1])["__verbose"]["prompt_progress"]["processed"]


def _load_mode(backend: LlamaCppBackend) -> str:
    """Return how the file is there: mapped, or read past the page cache or not."""
    if "Q4_1.gguf" in Path("/proc/self/maps").read_text():
        return "mmap"
    return _logged(backend, r"\(load_mode = (\w+)\)")


#: Where the live engine shows each option, if possible apart from where the backend reads it.
LIVE: dict[str, Callable[[LlamaCppBackend], Any]] = {
    "n_ctx": lambda b: b._engine.ask("/props")["default_generation_settings"]["n_ctx"],
    "n_batch": lambda b: min(_largest_step(b), 250),
    "n_ubatch": lambda b: int(_logged(b, r"n_ubatch += (\d+)")),
    "n_threads": lambda b: int(_logged(b, r"llama threadpool init, n_threads = (\d+)")),
    "n_threads_batch": lambda b: int(_logged(b, r"n_threads_batch = (\d+)")),
    "flash_attn": lambda b: {"enabled": "on", "disabled": "off"}[
        _logged(b, r"(?:flash_attn += |Flash Attention )(enabled|disabled)")
    ],
    "cache_type_k": lambda b: _cache_type(b, "K"),
    "cache_type_v": lambda b: _cache_type(b, "V"),
    "kv_unified": lambda b: _logged(b, r"n_slots.*kv_unified = '(\w+)'") == "true",
    "load_mode": _load_mode,
    "n_gpu_layers": lambda _: len(xllamacpp.get_device_info()) - 1,
}
#: What `auto` comes to without a GPU.
AUTOMATIC = {"flash_attn": "on", "n_gpu_layers": 0}
#: What the longest prompt of the test shows of a step that could be longer still.
SHOWN = {("n_batch", 512): 250}
EXAMPLES = [
    pytest.param(field.name, value, id=f"{field.name}={value}")
    for field in fields(LlamaCppOptions)
    if field.metadata["json_schema_extra"]["is_read_back"]
    for value in field.metadata["examples"]
]


@pytest.mark.parametrize(("name", "value"), EXAMPLES)
def test_an_option_is_in_force(load: Load, name: str, value: Any) -> None:
    """The live engine has each example of each option, and that is what is told."""
    backend, applied = load(**{name: value})

    expected = AUTOMATIC[name] if value == "auto" else value
    assert applied["options"][name] == expected
    assert LIVE[name](backend) == SHOWN.get((name, value), expected)


def test_an_option_that_is_not_read_back_is_tested_by_name() -> None:
    """These are shown below by what they do, or to reach the engine's parameters."""
    silent = {
        field.name
        for field in fields(LlamaCppOptions)
        if not field.metadata["json_schema_extra"]["is_read_back"]
    }

    assert silent - {"python"} == {
        "cache_prompt",
        "cont_batching",
        "main_gpu",
        "split_mode",
        "tensor_split",
    }


def test_prompts_are_computed_anew_unless_asked(load: Load, generate: Generate) -> None:
    """Without `cache_prompt` nothing of a repeated prompt is reused, with it all but its end."""
    asked = {"prompts": ("Once upon a time",), "chat": False, "output_tokens": 2}
    without, with_it = (load(batch=1, cache_prompt=flag)[0] for flag in (False, True))

    plain = [generate(without, **asked)[0].cached_tokens for _ in range(2)]
    cached = [generate(with_it, **asked)[0].cached_tokens for _ in range(2)]

    assert plain == [0, 0]
    assert cached == [0, 3]


def test_prompts_wait_without_continuous_batching(load: Load, generate: Generate) -> None:
    """A prompt that does not fit into the first step begins beside others, or after them."""
    asked = {"prompts": ("word",), "input_tokens": 60, "chat": False, "output_tokens": 4}

    together, apart = (
        generate(load(n_batch=64, batch=3, cont_batching=flag)[0], 3, **asked)
        for flag in (True, False)
    )

    assert max(r.batch for r in together) == 3
    assert max(r.batch for r in apart) == 2


@pytest.mark.parametrize("mode", ["none", "layer", "row", "tensor"])
def test_the_way_to_split_reaches_the_engine(mode: Any) -> None:
    """The parameters with which the engine is started have the mode."""
    params = _params(split_mode=mode)

    assert params.split_mode.name == f"LLAMA_SPLIT_MODE_{mode.upper()}"


def test_gpus_reach_the_engine() -> None:
    """The main GPU, the shares of all of them, and the words for layers are the engine's own."""
    params = _params(main_gpu=1, tensor_split=[3.0, 1.0], n_gpu_layers="all")

    assert (params.main_gpu, params.n_gpu_layers) == (1, -2)
    assert params.tensor_split[:3] == [3.0, 1.0, 0.0]
    assert _params().n_gpu_layers == -1


def _params(**options: Any) -> Any:
    asked = LlamaCppOptions(**options)
    return common_params(asked, model="m.gguf", slots=2, trained_context=2048)


@pytest.mark.parametrize(
    ("trained", "context"), [(512, 512), (4096, 4096), (131072, 4096), (None, 4096)]
)
def test_the_context_is_that_of_the_model_within_reason(trained: int | None, context: int) -> None:
    """Without `n_ctx` each request has what the model was trained with, up to 4096."""
    params = common_params(LlamaCppOptions(), model="m.gguf", slots=3, trained_context=trained)

    assert params.kv_unified_per_slot == context
    assert params.n_ctx == 3 * context


def test_a_context_beyond_the_model_is_told(load: Load) -> None:
    """llama.cpp cuts a context to what the model was trained with, which is seen."""
    _, applied = load(n_ctx=8500, batch=1)

    assert applied["options"]["n_ctx"] == applied["context_length"] == 8192


def test_a_context_is_not_rounded(load: Load, generate: Generate) -> None:
    """Each request has just the context that was asked for, although the cache is rounded up."""
    backend, applied = load(n_ctx=100, kv_unified=True)

    assert applied["options"]["n_ctx"] == 100
    assert [slot["n_ctx"] for slot in backend._engine.ask("/slots")] == [100] * 4


def test_a_step_beyond_the_cache_is_told(load: Load) -> None:
    """llama.cpp cuts a step to the size of its cache, which is seen."""
    _, applied = load(n_ctx=256, batch=1, n_batch=1024)

    assert applied["options"]["n_batch"] == 256


def test_a_step_has_room_for_all_requests() -> None:
    """A step with fewer tokens than requests, at which llama.cpp would abort, is refused."""
    with pytest.raises(LemError, match=r"`backends.llama_cpp.n_batch` is 8, but") as caught:
        common_params(LlamaCppOptions(n_batch=8), model="m", slots=9, trained_context=None)

    assert caught.value.kind is FailureKind.CONFIG
    assert (
        common_params(LlamaCppOptions(), model="m", slots=3000, trained_context=9).n_batch == 3000
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"flash_attn": "off", "cache_type_v": "q8_0"}, "cache_type_v q8_0 is quantised, which"),
        ({"n_batch": 32, "n_ubatch": 64}, "n_ubatch 64 is above n_batch 32"),
        ({"n_gpu_layers": -1}, "n_gpu_layers is negative; give a number of layers, auto or all"),
        ({"split_mode": "none", "tensor_split": [1.0]}, "tensor_split needs a split_mode other"),
        ({"n_batch": 1}, "greater than or equal to 2"),
        ({"n_ctx": 0}, "greater than or equal to 1"),
        ({"cache_type_k": "q4_k"}, "Input should be 'f32', 'f16'"),
        ({"use_mmap": True}, "Unexpected keyword argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused(options: dict[str, Any], reason: str) -> None:
    """Limits, exclusions and unknown names are told before anything starts."""
    with pytest.raises(ValidationError, match=reason):
        TypeAdapter(LlamaCppOptions).validate_python(options)


@pytest.mark.parametrize(
    "options",
    [
        {"flash_attn": "off", "cache_type_v": "f32", "cache_type_k": "q8_0"},
        {"flash_attn": "auto", "cache_type_v": "q4_0"},
        {"n_ubatch": 64},
        {"tensor_split": [3, 1]},
    ],
    ids=" ".join,
)
def test_what_only_looks_like_an_exclusion_is_taken(options: dict[str, Any]) -> None:
    """An exclusion goes no further than its reason."""
    TypeAdapter(LlamaCppOptions).validate_python(options)
