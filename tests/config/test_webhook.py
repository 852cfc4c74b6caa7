"""The settings of webhooks: a secret that stands there by mistake is not repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_lem.config.assignment import assign
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import Resolved, resolve
from pytest_lem.config.source import read_file
from pytest_lem.errors import LemError

SECRET = "https://hooks.example/T0/s3cr3t"  # noqa: S105 - nobody's


def _resolved(layers: Layers) -> Resolved:
    return resolve(layers, default_preset="smoke", options_of=lambda _: type)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("url_env", [SECRET]),
        ("url_env", ["LEM_WEBHOOK_URL", SECRET]),
        ("url_env", SECRET),
        ("url_env", {SECRET: 1}),
        ("url_env", [[SECRET]]),
        ("token_env", SECRET),
        ("token_env", [SECRET]),
        ("token_env", f"{SECRET}\n"),
    ],
)
def test_an_address_in_place_of_a_name_is_not_repeated(setting: str, value: Any) -> None:
    """The message says where it stands and what belongs there."""
    layers = Layers()
    layers.put(("webhooks", setting), value, "--lem-set")
    with pytest.raises(LemError, match=rf"^--lem-set: `webhooks\.{setting}") as caught:
        _resolved(layers)
    assert "environment variable" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("text", [f"url_env: {SECRET}", f"url_env: [{SECRET}]"])
def test_nor_is_it_from_a_file(tmp_path: Path, text: str) -> None:
    """The place is the file and the line."""
    path = tmp_path / "lem.yaml"
    path.write_text(f"webhooks:\n  {text}\n")
    with pytest.raises(LemError, match=r"lem\.yaml:2: `webhooks") as caught:
        _resolved(read_file(path))
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "assignment", [f"webhooks.url_env=[{SECRET}", f"webhooks.url_env:{SECRET}"]
)
def test_nor_is_it_where_it_cannot_be_read(assignment: str) -> None:
    """What is no YAML, or no assignment."""
    with pytest.raises(LemError, match="--lem-set") as caught:
        assign(Layers(), assignment, "--lem-set")
    assert "s3cr3t" not in str(caught.value)


def test_names_are_taken() -> None:
    """Of several variables, and of one with a token."""
    layers = Layers()
    layers.put(("webhooks", "url_env"), ["ONE", "TWO_2"], "--lem-set")
    layers.put(("webhooks", "token_env"), "TOKEN", "--lem-set")
    webhooks = _resolved(layers).settings.webhooks
    assert (webhooks.url_env, webhooks.token_env) == (["ONE", "TWO_2"], "TOKEN")
