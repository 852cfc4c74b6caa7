"""For this checkout alone: which folders of `benchmarks/` run when none of them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parent / "benchmarks"
_DEFAULT = "inference"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is not the inference suite, unless an argument names it."""
    if collection_path.parent != _BENCHMARKS or not collection_path.is_dir():
        return None
    if collection_path.name == _DEFAULT:
        return None
    named = (Path(config.invocation_params.dir, arg.split("::")[0]) for arg in config.args)
    return None if any(path.resolve().is_relative_to(collection_path) for path in named) else True
