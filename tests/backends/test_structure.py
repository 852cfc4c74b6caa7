"""The matrices of a model and its attention, counted from the files of real models' shapes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends import structure
from pytest_lem.backends.demo import DEMO_MODEL
from pytest_lem.backends.structure import structure_of
from pytest_lem.errors import LemError

SMOLLM2 = {
    "model_type": "llama", "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "hidden_size": 576, "intermediate_size": 1536, "vocab_size": 49152,
    "tie_word_embeddings": True,
}  # fmt: skip
LLAMA = {
    "model_type": "llama", "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192,
    "vocab_size": 128256,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "hidden_size": 4096, "intermediate_size": 14336,
    "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2,
}  # fmt: skip
#: Of a layer with 60 experts, 4 of which a token goes to, and a shared one; the first is dense.
QWEN_MOE = {
    "model_type": "qwen2_moe", "num_hidden_layers": 2, "num_attention_heads": 16,
    "num_key_value_heads": 16, "hidden_size": 2048, "intermediate_size": 5632,
    "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632, "num_experts": 60,
    "num_experts_per_tok": 4, "decoder_sparse_step": 1, "mlp_only_layers": [0],
    "vocab_size": 151936,
}  # fmt: skip
#: Layers and head of the three, worked out by hand.
BODY = {"smollm2": 106_168_320, "llama": 973_078_528, "mixtral": 12_617_515_008}
HEAD = {"smollm2": 28_311_552, "llama": 262_668_288, "mixtral": 131_072_000}

Shapes = dict[str, tuple[int, ...]]
Write = Callable[..., str]


def _attention(config: dict[str, Any], layer: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    size = hidden // heads
    kv = config["num_key_value_heads"] * size
    for name, rows in (("q", hidden), ("k", kv), ("v", kv), ("o", hidden)):
        yield f"{layer}.self_attn.{name}_proj.weight", (rows, hidden)
    yield f"{layer}.self_attn.q_proj.bias", (hidden,)
    yield f"{layer}.input_layernorm.weight", (hidden,)


def _shapes(config: dict[str, Any], *, is_tied: bool = False) -> Shapes:
    """Return the tensors of a model, by the names of Llama and Mixtral."""
    hidden, width = config["hidden_size"], config["intermediate_size"]
    found: Shapes = {"model.embed_tokens.weight": (config["vocab_size"], hidden)}
    if not is_tied:
        found["lm_head.weight"] = (config["vocab_size"], hidden)
    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        found |= dict(_attention(config, layer))
        experts = config.get("num_local_experts")
        if experts:
            found[f"{layer}.block_sparse_moe.gate.weight"] = (experts, hidden)
        places = [f"block_sparse_moe.experts.{n}" for n in range(experts)] if experts else ["mlp"]
        for place in places:
            for name in ("gate", "up", "down"):
                found[f"{layer}.{place}.{name}.weight"] = (width, hidden)
    return found


def _safetensors(shapes: Shapes, dtype: str = "BF16") -> bytes:
    """Return the front of such a file, which is all that is read of it."""
    tensors = {
        name: {"dtype": dtype, "shape": list(shape), "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the folder of a model: its configuration and, if there are shapes, its weights."""

    def make(config: dict[str, Any], shapes: Shapes | None = None, dtype: str = "BF16") -> str:
        (tmp_path / "config.json").write_text(json.dumps(config))
        if shapes is not None:
            (tmp_path / "model.safetensors").write_bytes(_safetensors(shapes, dtype))
        return str(tmp_path)

    return make


@pytest.mark.parametrize(
    ("name", "config", "is_tied"),
    [("smollm2", SMOLLM2, True), ("llama", LLAMA, True), ("mixtral", MIXTRAL, False)],
)
def test_weights_and_configuration_tell_the_same(
    write: Write, name: str, config: dict[str, Any], is_tied: bool
) -> None:
    """A small model, grouped-query attention, and experts: by their shapes, and without weights."""
    by_config = structure_of(write(config))
    by_weights = structure_of(write(config, _shapes(config, is_tied=is_tied)))
    for found, source in ((by_config, "configuration"), (by_weights, "weights")):
        assert found["source"] == source
        assert (found["body_parameters"], found["head_parameters"]) == (BODY[name], HEAD[name])
        assert (found["layers"], found["heads"]) == (
            config["num_hidden_layers"],
            config["num_attention_heads"],
        )
        assert (found["full_layers"], found["window_layers"]) == (config["num_hidden_layers"], 0)


def test_matrices_that_torchao_stores_count_like_any_other(write: Write) -> None:
    """It gives them another name and leaves their shapes; some of them may be left as they were."""
    plain = _shapes(LLAMA, is_tied=True)
    stored = {name.replace("_proj.weight", "_proj._weight_qdata"): plain[name] for name in plain}
    assert stored.keys() != plain.keys()

    known = structure_of(write(LLAMA, plain))
    assert structure_of(write(LLAMA, stored)) == {**known, "source": "weights"}


def test_together_they_are_the_published_number_of_parameters(write: Write) -> None:
    """Mixtral 8x7B has 46 702 792 704: layers, all experts, head, embedding, and 65 norms."""
    found = structure_of(write(MIXTRAL, _shapes(MIXTRAL)))
    parts = ("body_parameters", "idle_parameters", "head_parameters", "head_parameters")
    assert sum(found[part] for part in parts) + 65 * 4096 == 46_702_792_704
    assert (found["experts"], found["experts_per_token"]) == (8, 2)


def test_shared_experts_and_dense_layers_count(write: Write) -> None:
    """A dense layer; one with router, four of sixty experts, the shared one and its gate."""
    found = structure_of(write(QWEN_MOE))
    attention = 4 * 2048 * 2048
    expert, wide = 3 * 2048 * 1408, 3 * 2048 * 5632
    dense, sparse = wide, 2048 * 60 + 4 * expert + wide + 2048
    assert found["body_parameters"] == 2 * attention + dense + sparse
    assert found["idle_parameters"] == 56 * expert


def test_experts_in_one_tensor_count_like_many(write: Write) -> None:
    """Some libraries stack them, and name no `weight`."""
    config = {**MIXTRAL, "num_hidden_layers": 1}
    many = _shapes(config)
    stacked = {name: shape for name, shape in many.items() if ".experts." not in name}
    stacked["model.layers.0.mlp.experts.gate_up_proj"] = (8, 4096, 2 * 14336)
    stacked["model.layers.0.mlp.experts.down_proj"] = (8, 14336, 4096)
    stacked["model.layers.0.mlp.experts.down_proj_bias"] = (8, 4096)
    found = structure_of(write(config, stacked))
    assert found["body_parameters"] == BODY["mixtral"] // 32
    assert found == structure_of(write(config, many))


def test_what_text_does_not_go_through_is_left_out(write: Write) -> None:
    """Towers for images, layers that predict further tokens, positions, masks."""
    shapes = _shapes(SMOLLM2, is_tied=True)
    beside = {
        "visual.blocks.0.attn.qkv.weight": (10, 10),
        "model.vision_tower.layers.0.fc.weight": (10, 10),
        "model.layers.30.eh_proj.weight": (10, 10),
        "model.embed_positions.weight": (10, 10),
        "model.layers.0.attn.bias": (1, 1, 10, 10),
    }
    found = structure_of(write({"text_config": SMOLLM2}, {**shapes, **beside}))
    assert found == structure_of(write(SMOLLM2, shapes))


def test_a_byte_for_a_number_is_no_packing(write: Write) -> None:
    """FP8 keeps the shapes of its matrices."""
    found = structure_of(write(SMOLLM2, _shapes(SMOLLM2, is_tied=True), "F8_E4M3"))
    assert (found["source"], found["body_parameters"]) == ("weights", BODY["smollm2"])


def test_packed_weights_leave_it_to_the_configuration(write: Write) -> None:
    """Their shapes are not those of the matrices; of families that are not known, nothing is."""
    packed = {"model.layers.0.mlp.qweight": (192, 576)}
    assert structure_of(write(SMOLLM2, packed, "I32"))["body_parameters"] == BODY["smollm2"]
    assert structure_of(write({**SMOLLM2, "model_type": "new"}, packed, "I32")) == {
        "reason": "neither its weights nor its configuration tell the shapes of its matrices"
    }


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({"layer_types": ["sliding_attention", "full_attention"] * 15, "sliding_window": 512},
         (15, 15, 512)),
        ({"model_type": "mistral", "sliding_window": 4096}, (0, 30, 4096)),
        ({"model_type": "qwen2", "sliding_window": 128, "use_sliding_window": True,
          "max_window_layers": 28}, (28, 2, 128)),
        ({"model_type": "qwen2", "sliding_window": 128}, (30, 0, None)),
        ({"sliding_window": 128, "use_sliding_window": False}, (30, 0, None)),
    ],
)  # fmt: skip
def test_windows_of_attention_are_known(
    write: Write, changes: dict[str, Any], layers: tuple[int, int, int | None]
) -> None:
    """How many layers look at all tokens, and how far the others do."""
    found = structure_of(write({**SMOLLM2, **changes}))
    assert (found["full_layers"], found["window_layers"], found["window"]) == layers


def test_compressed_keys_count_as_they_are_expanded(write: Write) -> None:
    """The mean of what keys and values have in a head: (128 + 64 + 128) / 2."""
    config = {**SMOLLM2, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
              "v_head_dim": 128}  # fmt: skip
    assert structure_of(write(config, _shapes(SMOLLM2)))["head_size"] == 160


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_encoder_decoder": True}, "it has an encoder, whose arithmetic is not counted"),
        ({"mamba_d_state": 16}, "it has layers of another kind than attention"),
        ({"layer_types": ["linear_attention"]}, "it has layers with attention of another kind"),
        ({"layer_types": ["sliding_attention"]},
         "its configuration does not say how long the window of its attention is"),
        ({"sliding_window": 64}, "its configuration does not say which layers have a window"),
        ({"num_attention_heads": None},
         "its configuration does not say `num_attention_heads` in one number"),
        ({"global_head_dim": 512}, "its layers have heads of different sizes"),
        ({"num_experts": 8}, "its configuration does not say to how many experts a token goes"),
        ({"intermediate_size": [1, 2]},
         "its configuration does not say `intermediate_size` in one number"),
    ],
)  # fmt: skip
def test_what_is_not_told_is_a_reason(write: Write, changes: dict[str, Any], reason: str) -> None:
    """Nothing is guessed."""
    assert structure_of(write({**SMOLLM2, **changes})) == {"reason": reason}


def test_files_that_cannot_be_read_are_a_reason(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at all, none that is sound; the demo model may not be installed."""
    gone = {"reason": "its files are not on this machine"}
    assert structure_of(str(tmp_path / "none")) == gone
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    assert structure_of(str(tmp_path / "a.gguf")) == {
        "reason": "its file is no GGUF file that can be read"
    }
    model = write({**SMOLLM2, "model_type": "new"})
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    assert "reason" in structure_of(model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(structure, "demo_gguf", _not_installed)
    assert structure_of(DEMO_MODEL) == gone


def _not_installed() -> Path:
    raise LemError("not installed", kind="data")  # type: ignore[arg-type]


def test_the_commit_of_a_downloaded_model_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several in the cache it is the one that was loaded."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for commit, layers in (("aaa", 30), ("bbb", 15)):
        folder = tmp_path / "models--org--small" / "snapshots" / commit
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({**SMOLLM2, "num_hidden_layers": layers}))
    assert structure_of("org/small", "aaa")["layers"] == 30
    assert structure_of("org/small", "bbb")["layers"] == 15


def _gguf(metadata: dict[str, int], shapes: Shapes) -> bytes:
    """Return the header of a GGUF file of the architecture `llama`, quantised as Q4_1 (3)."""

    def text(words: str) -> bytes:
        return struct.pack("<Q", len(words)) + words.encode()

    pairs = [text("general.architecture") + struct.pack("<I", 8) + text("llama")]
    pairs += [text(f"llama.{k}") + struct.pack("<II", 4, v) for k, v in metadata.items()]
    tensors = [
        text(name) + struct.pack(f"<I{len(s)}Q", len(s), *s) + struct.pack("<IQ", 3, 0)
        for name, s in shapes.items()
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    return head + b"".join(pairs) + b"".join(tensors)


def test_a_gguf_file_tells_its_shapes(tmp_path: Path) -> None:
    """Whatever the type of its weights; the head is the embedding where there is none."""
    metadata = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4,
                "attention.head_count_kv": 2, "expert_count": 8,
                "expert_used_count": 2}  # fmt: skip
    layer = {"attn_q": (64, 64), "attn_k": (64, 32), "attn_v": (64, 32), "attn_output": (64, 64),
             "attn_norm": (64,), "ffn_gate_inp": (64, 8), "ffn_gate_exps": (64, 100, 8),
             "ffn_up_exps": (64, 100, 8), "ffn_down_exps": (100, 64, 8)}  # fmt: skip
    shapes = {f"blk.{n}.{name}.weight": s for n in range(2) for name, s in layer.items()}
    path = tmp_path / "a.gguf"
    path.write_bytes(_gguf(metadata, {**shapes, "token_embd.weight": (64, 1000)}))
    found = structure_of(str(path))
    attention, experts = 2 * 64 * 64 + 2 * 64 * 32, 3 * 64 * 100
    assert found["source"] == "gguf"
    assert found["body_parameters"] == 2 * (attention + 64 * 8 + 2 * experts)
    assert (found["idle_parameters"], found["head_parameters"]) == (2 * 6 * experts, 64_000)
    assert (found["head_size"], found["full_layers"]) == (16, 2)
