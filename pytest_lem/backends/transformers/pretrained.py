"""Tokenizer and model from their files, and what can be wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_lem.backends.host.failures import described
from pytest_lem.backends.models import ModelSource
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.transformers.devices import limits, placement
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.quantiser import (
    places_in,
    quantiser_of,
    stored_in,
    unquantisable,
)
from pytest_lem.errors import FailureKind, LemError, config_error

_SECTION = "backends.transformers"


def load_pretrained(
    source: ModelSource, spec: LoadSpec, device_map: str | dict[str, int | str]
) -> tuple[Any, Any]:
    """Return tokenizer and model.

    Raises LemError, of kind `config` where an option is to blame and of kind `data` where the
    files are.
    """
    from huggingface_hub.errors import (  # type: ignore[import-not-found,unused-ignore]
        StrictDataclassError,
    )
    from safetensors import SafetensorError

    options: TransformersOptions = spec.options  # type: ignore[assignment]
    try:
        return _loaded(source, spec, options, device_map)
    except (OSError, ValueError, ImportError, SafetensorError, StrictDataclassError) as error:
        raise _blamed(options, error) or _unloadable(source, error) from error
    except (TypeError, RuntimeError) as error:
        refusal = _blamed(options, error) or _misshapen(source, error)
        if refusal := refusal or _unquantised(options, error):
            raise refusal from error
        raise


def commit_of(source: ModelSource, revision: str | None) -> str | None:
    """Return the commit of a loaded Hugging Face id, None for a directory.

    The library keeps it nowhere but in the path of its cache.
    """
    if source.is_local:
        return None
    from transformers.utils import cached_file

    found = cached_file(source.location, "config.json", revision=revision, local_files_only=True)
    folder = Path(found).parent
    return folder.name if folder.parent.name == "snapshots" else None


def first_line(error: Exception) -> str:
    """Return the first line of a message, with the second where that only announces it."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    announced = lines[1:2] if lines[0].endswith(":") else []
    return " ".join(line.strip() for line in (lines[0], *announced)).rstrip(".")


def _loaded(
    source: ModelSource,
    spec: LoadSpec,
    options: TransformersOptions,
    device_map: str | dict[str, int | str],
) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {
        "revision": options.revision,
        "trust_remote_code": options.trust_remote_code,
        "local_files_only": source.is_local,
    }
    quantiser = quantiser_of(
        torch,
        options.quantization_config,
        source,
        places_in(torch, device_map),
        stored_in(source, options.revision),
    )
    tokenizer = AutoTokenizer.from_pretrained(source.location, padding_side="left", **where)
    model, report = AutoModelForCausalLM.from_pretrained(
        source.location,
        dtype=getattr(torch, spec.precision),
        attn_implementation=options.attn_implementation,
        device_map=device_map,
        max_memory=limits(options),
        output_loading_info=True,
        **({} if quantiser is None else {"quantization_config": quantiser}),
        **where,
        **(options.model_kwargs or {}),
    )
    _check_complete(source, report)
    _check_disk(model, options)
    return tokenizer, model.eval()


def _check_complete(source: ModelSource, report: dict[str, Any]) -> None:
    """Refuse weights with gaps, which the library fills at random."""
    lacking = [*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]
    if lacking:
        raise LemError(
            f"the weights of {source.location} lack {len(lacking)} parameters of the model "
            f"({min(lacking)}), which would be made up at random; download them again, or check "
            "what `model_kwargs` says of its size",
            kind=FailureKind.DATA,
        )


def _check_disk(model: Any, options: TransformersOptions) -> None:
    """Refuse weights that wait on the disk as they were, when they are to be others."""
    changed = {"quantization_config": options.quantization_config, "adapter": options.adapter}
    name = next((name for name, value in changed.items() if value is not None), None)
    if name and "disk" in placement(model).values():
        raise config_error(
            f"`{_SECTION}.{name}` needs all weights in memory, and some are on the disk; give more "
            "memory by `max_memory` or `device_map`, or leave it out"
        )


def _blamed(options: TransformersOptions, error: Exception) -> LemError | None:
    """Return the error of an option that a message of the library is about."""
    text = str(error)
    for name in options.model_kwargs or {}:
        if f"'{name}'" in text:
            return config_error(
                f"`{_SECTION}.model_kwargs.{name}` is not taken by this model: {first_line(error)}"
            )
    attention = options.attn_implementation
    if attention and ("ttention" in text or "attn_implementation" in text or "`kernels`" in text):
        return config_error(
            f"`{_SECTION}.attn_implementation: {attention}` cannot be had here: "
            f"{first_line(error)}; install what it needs, or take `sdpa`"
        )
    if options.quantization_config and "are dispatched on the CPU or the disk" in text:
        return config_error(
            f"`{_SECTION}.quantization_config` needs all weights on one kind of device, and some "
            "are beside it or on the disk; give more memory by `max_memory` or `device_map`, or "
            "leave it out"
        )
    if options.device_map and "device_map" in text:
        return config_error(f"`{_SECTION}.device_map` does not fit: {first_line(error)}")
    return None


def _unquantised(options: TransformersOptions, error: Exception) -> LemError | None:
    is_memory = described(error)["kind"] == FailureKind.OOM
    if options.quantization_config is None or is_memory:
        return None
    return unquantisable(options.quantization_config, error)


def _unloadable(source: ModelSource, error: Exception) -> LemError:
    kind = FailureKind.CONFIG if isinstance(error, ImportError) else FailureKind.DATA
    return LemError(f"cannot load the model {source.location}: {first_line(error)}", kind=kind)


def _misshapen(source: ModelSource, error: Exception) -> LemError | None:
    if "ignore_mismatched_sizes" not in str(error):
        return None
    return LemError(
        f"cannot load the model {source.location}: its weights have other shapes than its "
        "configuration says; download it again, or check what `model_kwargs` says of its size",
        kind=FailureKind.DATA,
    )
