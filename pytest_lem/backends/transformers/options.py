"""What transformers and PyTorch can be told, in their own names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from pytest_lem.backends.option import HubOptions, option
from pytest_lem.backends.transformers.quantisation import check_quantisation

#: Arguments of `from_pretrained` that another setting makes.
_SET_ELSEWHERE = {
    "dtype": "`precision`",
    "torch_dtype": "`precision`",
    "attn_implementation": "`attn_implementation`",
    "device_map": "`device_map`",
    "max_memory": "`max_memory`",
    "revision": "`revision`",
    "trust_remote_code": "`trust_remote_code`",
    "use_cache": "`use_cache`",
    "quantization_config": "`quantization_config`",
    "local_files_only": "the variable HF_HUB_OFFLINE",
    "token": "the variable HF_TOKEN, so that it is written nowhere",
    "output_loading_info": "this backend, which needs the answer itself",
}
_PLACE = re.compile(r"cpu|disk|cuda(:\d+)?")
#: To the library a unit that ends in a small b means bits.
_SIZE = re.compile(r"\d+(\.\d+)? ?[KMG]i?B")

CacheImplementation = Literal["dynamic", "static", "offloaded", "offloaded_static"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersOptions(HubOptions):
    """Settings of transformers and PyTorch."""

    device: str = option(
        "auto",
        "Where the model runs; `auto` is CUDA if PyTorch sees it, else the CPU.",
        ["cpu"],
        on_gpu=["cuda", "cuda:0"],
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
    )
    device_map: Literal["auto"] | dict[str, int | str] | None = option(
        None,
        "Where each module runs, by its name (empty: the whole model): the number of a GPU, `cpu` "
        "or `disk`. `auto` fills the GPUs first. Not with `device`.",
        ["auto", {"": "cpu"}],
        on_gpu=[{"": 0}],
    )
    # The library keeps the placement that follows from the limits, not the limits.
    max_memory: dict[str, int | str] | None = option(
        None,
        "Most memory that weights may take, by the number of a GPU or `cpu`; needs "
        "`device_map: auto`.",
        [{"cpu": "4GiB"}],
        on_gpu=[{"0": "16GiB", "cpu": "4GiB"}],
        companions={"device_map": "auto"},
        is_read_back=False,
    )
    attn_implementation: str | None = option(
        None,
        "Attention implementation; null: the library's choice.",
        ["eager", "sdpa"],
        on_gpu=["flash_attention_2"],
        min_length=1,
    )
    use_cache: bool | None = option(
        None,
        "Keep what was computed for earlier tokens; false: compute it anew for each token. Null: "
        "the library's choice.",
        [True, False],
    )
    cache_implementation: CacheImplementation | None = option(
        None,
        "KV cache: one that grows, or one of fixed size; `offloaded` ones wait in host memory. "
        "Null: the library's choice.",
        ["dynamic", "static"],
        on_gpu=["offloaded", "offloaded_static"],
    )
    torch_compile: bool = option(
        False,
        "Compile the decoding with torch.compile, as `generate` does it: needs "
        "`cache_implementation: static`, and a C++ compiler on a CPU. False also keeps `generate` "
        "from compiling by itself.",
        [True, False],
    )
    float32_matmul_precision: Literal["highest", "high", "medium"] | None = option(
        None,
        "How exactly float32 matrices are multiplied: `high` and `medium` allow TF32 or bfloat16 "
        "inside. Null: PyTorch's choice.",
        ["highest", "high", "medium"],
    )
    num_threads: int | None = option(
        None,
        "Threads of PyTorch on the CPU, in each process; null: PyTorch's choice, or a part of the "
        "CPUs where there are several `processes`.",
        [1, 2],
        ge=1,
    )
    processes: int = option(
        1,
        "Copies of the model side by side, each in a process of its own with its part of every "
        "batch (data parallel; torchrun: `--nproc-per-node`). On GPUs each takes one.",
        [1, 2],
        is_tried=False,
        ge=1,
    )
    quantization_config: dict[str, Any] | None = option(
        None,
        "Quantise the weights when loading, in the library's words: `quant_method` torchao (with "
        "`quant_type`, and `group_size` for some), bitsandbytes or fp8, each with its own keys; or "
        "gptq or awq, which only a model's files bring. Null: as the files are.",
        [
            {"quant_method": "torchao", "quant_type": "Int8WeightOnlyConfig"},
            {"quant_method": "torchao", "quant_type": "Int8DynamicActivationInt8WeightConfig"},
            {
                "quant_method": "torchao",
                "quant_type": "PrototypeInt4WeightOnlyConfig",
                "group_size": 32,
            },
            {
                "quant_method": "bitsandbytes",
                "load_in_4bit": True,
                "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_compute_dtype": "bfloat16",
            },
            {"quant_method": "bitsandbytes", "load_in_8bit": True},
        ],
        on_gpu=[
            {"quant_method": "torchao", "quant_type": "Int4WeightOnlyConfig", "group_size": 128},
            {"quant_method": "torchao", "quant_type": "Float8WeightOnlyConfig"},
            {"quant_method": "torchao", "quant_type": "Float8DynamicActivationFloat8WeightConfig"},
            {"quant_method": "fp8"},
        ],
        is_alone=True,
    )
    adapter: str | None = option(
        None,
        "LoRA adapter as peft saves it: a folder, or a Hugging Face id. Null: none.",
        ["./adapter"],
        is_tried=False,
        min_length=1,
    )
    # A name for a commit; what is kept of it is the commit, in `applied.adapter`.
    adapter_revision: str | None = option(
        None,
        "Commit or branch of an adapter's Hugging Face id.",
        ["main"],
        is_read_back=False,
        is_tried=False,
    )
    merge_adapter: bool | None = option(
        None,
        "Add the adapter to the weights when loading; false: compute it beside them. Null: false.",
        [True, False],
        is_tried=False,
    )
    model_kwargs: dict[str, Any] | None = option(
        None,
        "Further arguments of `from_pretrained`; those that name a field of the model's "
        "configuration change it and are read back.",
        [{"max_position_embeddings": 2048}, {"use_safetensors": True}],
    )

    def __post_init__(self) -> None:
        """Refuse what excludes each other."""
        self._check_processes()
        self._check_placement()
        self._check_cache()
        self._check_weights()
        self._check_model_kwargs()

    @property
    def modules(self) -> dict[str, int | str]:
        """Return where modules were asked to run; empty where that is the library's matter."""
        return self.device_map if isinstance(self.device_map, dict) else {}

    def _check_processes(self) -> None:
        if self.processes > 1 and (self.device_map is not None or ":" in self.device):
            raise ValueError(
                "`processes` gives each copy a device of its own, so leave `device_map` and the "
                "number in `device` out"
            )

    def _check_placement(self) -> None:
        if self.device_map is not None and self.device != "auto":
            raise ValueError("`device_map` says where the model runs, so leave `device` out")
        for module, place in self.modules.items():
            if not (_PLACE.fullmatch(place) if isinstance(place, str) else place >= 0):
                raise ValueError(
                    f"`device_map` puts `{module}` on `{place}`, which is neither the number of a "
                    "GPU nor `cpu` nor `disk`"
                )
        if self.max_memory is None:
            return
        if self.device_map != "auto":
            raise ValueError(
                "`max_memory` limits a placement by the library: set `device_map: auto`"
            )
        for name, size in self.max_memory.items():
            if not (name == "cpu" or name.isdigit()):
                raise ValueError(f"`max_memory` is for `cpu` or the number of a GPU, not `{name}`")
            if isinstance(size, str) and not _SIZE.fullmatch(size):
                raise ValueError(f"`max_memory` takes bytes or a size such as 16GiB, not `{size}`")

    def _check_cache(self) -> None:
        if self.cache_implementation is not None and self.use_cache is False:
            raise ValueError(
                "`cache_implementation` chooses a cache, which `use_cache: false` drops"
            )
        if self.torch_compile and self.cache_implementation != "static":
            raise ValueError(
                "`torch_compile` needs `cache_implementation: static`, since `generate` compiles "
                "for shapes that stay"
            )

    def _check_weights(self) -> None:
        if self.quantization_config is not None:
            check_quantisation(self.quantization_config)
        if self.adapter is None and (self.merge_adapter is not None or self.adapter_revision):
            raise ValueError("`merge_adapter` and `adapter_revision` are about an `adapter`")
        if self.merge_adapter and self.quantization_config is not None:
            raise ValueError(
                "`merge_adapter: true` would quantise the weights anew; leave it out beside "
                "`quantization_config`"
            )

    def _check_model_kwargs(self) -> None:
        for name in self.model_kwargs or {}:
            if name in _SET_ELSEWHERE:
                raise ValueError(f"`model_kwargs.{name}` is set by {_SET_ELSEWHERE[name]}")
