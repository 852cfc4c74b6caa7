"""A LoRA adapter: where its files are, whether they fit, and what of it is in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_lem.backends.fingerprint import file_sha256
from pytest_lem.backends.host.failures import described
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.errors import FailureKind, LemError, config_error

_SETTING = "backends.transformers.adapter"
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_NAME = "default"
#: Before the names of a model's modules in the file of an adapter.
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFiles:
    """The files of an adapter: their folder, a hash of both, and the commit of a hub's id."""

    folder: Path
    sha256: str
    revision: str | None


def locate_adapter(options: TransformersOptions) -> AdapterFiles | None:
    """Find the adapter that is asked for; None where none is.

    Raises LemError (`config` without peft, `data` for files that are not there).
    """
    asked = options.adapter
    if asked is None:
        return None
    if find_spec("peft") is None:
        raise config_error(
            f"`{_SETTING}` needs the package peft, which is not installed; run: "
            "python -m pip install 'pytest-lem[adapters]'"
        )
    folder = Path(asked).expanduser()
    is_path = folder.is_dir() or asked.startswith((".", "/", "~")) or asked.count("/") != 1
    if is_path and options.adapter_revision:
        raise config_error(
            f"`{_SETTING}_revision` is for a Hugging Face id, and {asked} is a folder; leave it out"
        )
    folder = folder.resolve() if is_path else _downloaded(asked, options.adapter_revision)
    _check_files(asked, folder)
    is_commit = folder.parent.name == "snapshots"
    return AdapterFiles(
        folder=folder, sha256=_sha256(folder), revision=folder.name if is_commit else None
    )


def attach(model: Any, files: AdapterFiles, *, is_merged: bool) -> int:
    """Put an adapter into a model, or add it to the weights; return how many modules it changes.

    The model keeps its class: peft's low interface works in place, so that neither hooks nor
    devices change. Raises LemError (`data`) for an adapter that does not fit.
    """
    from peft import PeftConfig
    from peft.tuners.lora import LoraModel
    from peft.utils import load_peft_weights, set_peft_model_state_dict
    from safetensors import SafetensorError

    try:
        config = PeftConfig.from_pretrained(str(files.folder))
        config.inference_mode = True
        tuner = LoraModel(model, config, _NAME)
        weights = load_peft_weights(str(files.folder), device="cpu")
        named = {name.removeprefix(_PREFIX): weight for name, weight in weights.items()}
        report = set_peft_model_state_dict(model, named, adapter_name=_NAME)
    except (ValueError, RuntimeError, TypeError, KeyError, OSError, SafetensorError) as error:
        if described(error)["kind"] == FailureKind.OOM:
            raise
        raise _unfit(files, _first(error)) from error
    lacking = [name for name in report.missing_keys if f".{_NAME}." in name]
    if lacking:
        raise _unfit(files, f"it has no weights for {min(lacking)}")
    if report.unexpected_keys:
        raise _unfit(files, f"the model has no {min(report.unexpected_keys)}")
    modules = sum(1 for _ in _adapted(model))
    if is_merged:
        tuner.merge_and_unload()
    model.eval()
    return modules


def adapter_in(model: Any, files: AdapterFiles | None, merged: int) -> dict[str, Any] | None:
    """Return what of an adapter is in force in a live model; None where there is none.

    `merged` is in how many modules it went into the weights, of which the model keeps no trace.
    """
    live = list(_adapted(model))
    if not live and not merged:
        return None
    ranks = {module.r[name] for module in live for name in module.active_adapters}
    return {
        "sha256": files.sha256 if files else None,
        "revision": files.revision if files else None,
        "modules": len(live) or merged,
        "rank": _rank(ranks, files),
        "is_merged": not live,
    }


def _adapted(model: Any) -> Iterator[Any]:
    """Yield the modules that have an adapter in use."""
    for module in model.modules():
        if hasattr(module, "lora_A") and module.active_adapters and not module.disable_adapters:
            yield module


def _rank(live: set[int], files: AdapterFiles | None) -> int | None:
    """Return the rank of all modules, as they are or, once merged, as the file has it."""
    if live or files is None:
        return live.pop() if len(live) == 1 else None
    config = json.loads((files.folder / _CONFIG).read_text())
    return None if config.get("rank_pattern") else config.get("r")


def _downloaded(asked: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(asked, revision=revision, allow_patterns=[_CONFIG, _WEIGHTS]))
    except (OSError, ValueError) as error:
        raise _missing(asked, f"there is no such folder, and {_first(error)}") from error


def _check_files(asked: str, folder: Path) -> None:
    if not folder.is_dir():
        raise _missing(asked, "there is no such folder")
    for name in (_CONFIG, _WEIGHTS):
        if not (folder / name).is_file():
            raise _missing(asked, f"it has no {name}")
    try:
        kind = json.loads((folder / _CONFIG).read_text())["peft_type"]
    except (ValueError, KeyError, TypeError):
        raise _missing(asked, f"its {_CONFIG} does not say what it is") from None
    if kind != "LORA":
        raise config_error(f"`{_SETTING}: {asked}` is of the kind {kind}; only LORA is known here")


def _sha256(folder: Path) -> str:
    total = hashlib.sha256()
    for name in (_CONFIG, _WEIGHTS):
        total.update(f"{name}\0{file_sha256(folder / name)}\n".encode())
    return total.hexdigest()


def _missing(asked: str, why: str) -> LemError:
    return LemError(
        f"`{_SETTING}: {asked}` cannot be read: {why}; name a folder with {_CONFIG} and "
        f"{_WEIGHTS}, as peft saves them, or a Hugging Face id",
        kind=FailureKind.DATA,
    )


def _unfit(files: AdapterFiles, why: str) -> LemError:
    return LemError(
        f"`{_SETTING}: {files.folder}` does not fit the model: {why}; name one that was made of "
        "this model",
        kind=FailureKind.DATA,
    )


def _first(error: Exception) -> str:
    """Return the first line of a message that says more than that one follows."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = lines[1] if len(lines) > 1 and lines[0].endswith(":") else "".join(lines[:1])
    return (told or type(error).__name__).partition(". ")[0].rstrip(".")
