"""Joules per token as a test result: the public names of pytest-lem.

Nothing heavy is imported here, because pytest imports this package at every start
and the host process imports it with nothing but the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_lem.case import Case
    from pytest_lem.config.trial import Trial
    from pytest_lem.energy.sampling.archive import read_series, write_csv
    from pytest_lem.energy.sampling.series import Series
    from pytest_lem.errors import FailureKind, LemError
    from pytest_lem.plugin.energy import Energy, Window
    from pytest_lem.plugin.inference import Inference
    from pytest_lem.plugin.result import InferenceResult
    from pytest_lem.plugin.trials import backend_trials
    from pytest_lem.results.record import Record
    from pytest_lem.results.runfile import RunFile, read_run
    from pytest_lem.workloads.workload import Workload

_HOME = {
    "Case": "pytest_lem.case",
    "Energy": "pytest_lem.plugin.energy",
    "FailureKind": "pytest_lem.errors",
    "Inference": "pytest_lem.plugin.inference",
    "InferenceResult": "pytest_lem.plugin.result",
    "LemError": "pytest_lem.errors",
    "Record": "pytest_lem.results.record",
    "RunFile": "pytest_lem.results.runfile",
    "Series": "pytest_lem.energy.sampling.series",
    "Trial": "pytest_lem.config.trial",
    "Window": "pytest_lem.plugin.energy",
    "Workload": "pytest_lem.workloads.workload",
    "backend_trials": "pytest_lem.plugin.trials",
    "read_run": "pytest_lem.results.runfile",
    "read_series": "pytest_lem.energy.sampling.archive",
    "write_csv": "pytest_lem.energy.sampling.archive",
}

__all__ = [
    "Case",
    "Energy",
    "FailureKind",
    "Inference",
    "InferenceResult",
    "LemError",
    "Record",
    "RunFile",
    "Series",
    "Trial",
    "Window",
    "Workload",
    "backend_trials",
    "read_run",
    "read_series",
    "write_csv",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    import importlib

    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("pytest-lem")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
