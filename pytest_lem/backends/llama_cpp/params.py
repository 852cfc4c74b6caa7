"""From a load to the parameters with which llama.cpp is started."""

from __future__ import annotations

from typing import Any

from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
from pytest_lem.errors import config_error

_LONGEST_CONTEXT = 4096
#: From this on llama.cpp logs what is in force.
_TRACE = 4
_FLASH_ATTN = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}
_LOAD_MODES = {"mmap+mlock": "MMAP_MLOCK", "dio": "DIRECT_IO"}
_GPU_LAYERS = {"auto": -1, "all": -2}


def common_params(
    options: LlamaCppOptions, *, model: str, slots: int, trained_context: int | None
) -> Any:
    """Return `CommonParams` for so many requests at once.

    Raises LemError (`config`) for a batch that is too small for them.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.verbosity = _TRACE
    params.n_parallel = slots
    _set_context(params, options, trained_context)
    _set_batches(params, options)
    _set_cache(params, options, xllamacpp)
    _set_devices(params, options, xllamacpp)
    params.cont_batching = options.cont_batching
    params.cpuparams.n_threads = options.n_threads or params.cpuparams.n_threads
    params.cpuparams_batch.n_threads = options.n_threads_batch or params.cpuparams_batch.n_threads
    return params


def _set_context(params: Any, options: LlamaCppOptions, trained: int | None) -> None:
    """Give every slot its context: llama.cpp takes the sum, and rounds a part up to 256."""
    context = options.n_ctx or min(trained or _LONGEST_CONTEXT, _LONGEST_CONTEXT)
    params.n_ctx = context * params.n_parallel
    params.kv_unified_per_slot = context
    params.kv_unified = options.kv_unified


def _set_batches(params: Any, options: LlamaCppOptions) -> None:
    slots = params.n_parallel
    if options.n_batch is not None and options.n_batch < slots:
        raise config_error(
            f"`backends.llama_cpp.n_batch` is {options.n_batch}, but each of {slots} requests has "
            "a token in every step; raise it, or take smaller batches"
        )
    params.n_batch = options.n_batch or max(params.n_batch, slots)
    params.n_ubatch = options.n_ubatch or params.n_ubatch


def _set_cache(params: Any, options: LlamaCppOptions, library: Any) -> None:
    params.cache_type_k = _choice(library.ggml_type, options.cache_type_k)
    params.cache_type_v = _choice(library.ggml_type, options.cache_type_v)
    params.flash_attn_type = _choice(library.llama_flash_attn_type, _FLASH_ATTN[options.flash_attn])
    params.cache_prompt = options.cache_prompt
    if not options.cache_prompt:  # nothing is kept that nobody will use again
        params.cache_ram_mib = 0
        params.cache_idle_slots = False
        params.n_ctx_checkpoints = 0


def _set_devices(params: Any, options: LlamaCppOptions, library: Any) -> None:
    mode = _LOAD_MODES.get(options.load_mode, options.load_mode)
    params.load_mode = _choice(library.llama_load_mode, mode)
    layers = options.n_gpu_layers
    params.n_gpu_layers = layers if isinstance(layers, int) else _GPU_LAYERS[layers]
    params.split_mode = _choice(library.llama_split_mode, options.split_mode)
    params.main_gpu = options.main_gpu
    if options.tensor_split is not None:
        rest = len(params.tensor_split) - len(options.tensor_split)
        params.tensor_split = [*options.tensor_split, *([0.0] * rest)]


def _choice(kind: Any, name: str) -> Any:
    """Return a member of an enumeration, whose names all begin with that of the enumeration."""
    return kind[f"{kind.__name__}_{name}".upper()]
