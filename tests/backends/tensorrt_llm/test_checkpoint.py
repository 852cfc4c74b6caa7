"""What the files of a model tell before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.backends.tensorrt_llm.checkpoint import end_ids, read_checkpoint
from pytest_lem.errors import FailureKind, LemError

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]


def test_code_of_a_model_does_not_run_unless_it_is_trusted(
    load: Load, changed: Callable[..., Path]
) -> None:
    """Workers of the library would run it without asking, so it is refused before they start."""
    folder = changed(auto_map={"AutoModelForCausalLM": "modeling.Model"})
    with pytest.raises(LemError, match="comes with code of its own; read it, and set") as caught:
        load(folder)

    assert caught.value.kind is FailureKind.CONFIG
    assert load(folder, trust_remote_code=True)[0]._engine.args.trust_remote_code


def test_a_model_that_is_not_here_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is not in the local cache is refused in one sentence while offline."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LemError, match="cannot load the model nobody/nothing: ") as caught:
        load("nobody/nothing", revision="some-branch")

    assert caught.value.kind is FailureKind.DATA
    assert "\n" not in str(caught.value)


def test_a_model_of_the_hub_has_a_commit(
    load: Load, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder in the cache is named after it, whatever branch was asked for."""
    import huggingface_hub
    from tensorrt_llm.llmapi import LLM

    folder = tmp_path / "snapshots" / ("c0ffee" * 7)[:40]
    folder.parent.mkdir()
    folder.symlink_to(model)
    asked = []

    def download(name: str, file: str, revision: str | None = None) -> str:
        asked.append((name, file, revision))
        return str(folder / file)

    def start(**arguments: Any) -> Any:
        asked.append((arguments["model"], arguments["revision"]))
        return LLM(**arguments | {"model": str(folder)})

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr("tensorrt_llm.LLM", start)
    _, applied = load("org/chain", revision="main")

    assert asked == [("org/chain", "config.json", "main"), ("org/chain", "main")]
    assert applied["model_revision"] == folder.name
    assert (applied["model_location"], applied["model_sha256"]) == ("org/chain", None)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """In one sentence with its path."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(LemError, match=r"cannot read .*config\.json: ") as caught:
        read_checkpoint(tmp_path)

    assert caught.value.kind is FailureKind.DATA


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('{"eos_token_id": 7}', {7}),
        ('{"eos_token_id": [0, 7]}', {0, 7}),
        ('{"eos_token_id": null}', set()),
        ("{}", set()),
    ],
)
def test_the_ends_of_a_sequence_are_those_of_the_generation(
    tmp_path: Path, text: str, ids: set[int]
) -> None:
    """One, several, or none are named; 0 is a token like any other."""
    (tmp_path / "generation_config.json").write_text(text)

    assert end_ids(tmp_path) == ids


def test_without_that_configuration_there_is_none(tmp_path: Path) -> None:
    """The tokenizer names one in any case."""
    assert end_ids(tmp_path) == set()
