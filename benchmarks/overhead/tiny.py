"""Models that compute next to nothing, with the tokenizer of a real one.

A token of theirs takes what libraries and harness take: what a harness adds shows, where the
arithmetic of a real model would drown it in noise.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

#: Width of all layers but attention's heads, which engines have in a few sizes only.
_WIDTH, _HEAD = 32, 64


def tiny_directory(source: Path, target: Path) -> Path:
    """Write a model for transformers and vLLM beside the tokenizer of the one in `source`."""
    _in_process_of_its_own(_write_directory, source, target)
    return target


def tiny_gguf(source: Path, target: Path) -> Path:
    """Write a model for llama.cpp with the vocabulary of the file `source`."""
    _in_process_of_its_own(_write_gguf, source, target)
    return target


def _in_process_of_its_own(work: Any, *args: Any) -> None:
    """Keep PyTorch and its threads out of this process, which stands for pytest's."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("the tiny model could not be made; the lines above say why")


def _write_directory(source: Path, target: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(source)
    config.hidden_size, config.intermediate_size, config.head_dim = _WIDTH, _WIDTH, _HEAD
    config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads = 1, 1, 1
    config.layer_types = None
    AutoModelForCausalLM.from_config(config).save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)


def _write_gguf(source: Path, target: Path) -> None:
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader = GGUFReader(source)
    sizes = {
        "llama.block_count": 1,
        "llama.embedding_length": _WIDTH,
        "llama.feed_forward_length": _WIDTH,
        "llama.attention.head_count": 1,
        "llama.attention.head_count_kv": 1,
        "llama.attention.key_length": _HEAD,
        "llama.attention.value_length": _HEAD,
        "general.file_type": 0,
    }
    writer = GGUFWriter(target, "llama")
    for name, size in sizes.items():
        writer.add_uint32(name, size)
    for field in reader.fields.values():
        is_ours = field.name in sizes or field.name == "general.architecture"
        if not is_ours and not field.name.startswith("GGUF."):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    words = len(reader.fields["tokenizer.ggml.tokens"].data)
    chance = np.random.default_rng(0)
    for name, shape in _shapes(words).items():
        writer.add_tensor(name, chance.standard_normal(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes(words: int) -> dict[str, tuple[int, ...]]:
    """Return the tensors of one layer and of the vocabulary, rows first."""
    layer = {
        "attn_norm": (_WIDTH,),
        "attn_q": (_HEAD, _WIDTH),
        "attn_k": (_HEAD, _WIDTH),
        "attn_v": (_HEAD, _WIDTH),
        "attn_output": (_WIDTH, _HEAD),
        "ffn_norm": (_WIDTH,),
        "ffn_gate": (_WIDTH, _WIDTH),
        "ffn_up": (_WIDTH, _WIDTH),
        "ffn_down": (_WIDTH, _WIDTH),
    }
    tensors = {f"blk.0.{name}.weight": shape for name, shape in layer.items()}
    return tensors | {"token_embd.weight": (words, _WIDTH), "output_norm.weight": (_WIDTH,)}
