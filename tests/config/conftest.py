"""Configuration files in a directory of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_lem.errors import LemError

Write = Callable[..., Path]
Sentence = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file and return its path."""

    def make(text: str | bytes, name: str = "lem.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


@pytest.fixture
def sentence(tmp_path: Path) -> Sentence:
    """Return the sentence of the config error that a call raises, without the directory."""

    def fail(call: Callable[..., object], *arguments: object, **keywords: object) -> str:
        with pytest.raises(LemError) as caught:
            call(*arguments, **keywords)
        assert caught.value.kind == "config"
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return fail
