"""The fixture `benchmark` with an energy pass after its own work."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import version
from inspect import Parameter, signature
from typing import Any

import pytest

from pytest_lem.plugin.bridge.energypass import EnergyPass
from pytest_lem.plugin.bridge.target import Target

#: Arguments of `benchmark.pedantic` that say what is called. A `teardown` came with 5.2.
_PEDANTIC = ("target", "args", "kwargs", "setup")


def add_pass(benchmark: Any, energy_pass: EnergyPass) -> None:
    """Let the fixture of one test measure energy as well.

    It stays an instance of the class that it was, which pytest-benchmark insists on.
    """
    theirs: Any = type(benchmark)
    benchmark.__class__ = _with_pass(theirs)
    benchmark.lem_pass = energy_pass


def check_understood() -> None:
    """Raise pytest.UsageError where pytest-benchmark is not as this module knows it."""
    if doubt := _doubt():
        raise pytest.UsageError(
            f"pytest-benchmark {version('pytest-benchmark')} is not understood ({doubt}), so "
            "energy cannot be measured beside it; install pytest-benchmark 5, or leave out "
            "--lem-benchmark and the marker `energy` on tests that use `benchmark`"
        )


def _doubt() -> str | None:
    try:
        fixture: Any = import_module("pytest_benchmark.fixture").BenchmarkFixture
    except (ImportError, AttributeError):
        return "it has no BenchmarkFixture"
    if missing := [name for name in _PEDANTIC if name not in _parameters(fixture.pedantic)]:
        return f"`benchmark.pedantic` does not take `{missing[0]}`"
    kinds = {parameter.kind for parameter in _parameters(fixture.__call__).values()}
    if not {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD} <= kinds:
        return "`benchmark` does not take a function with its arguments"
    return None


def _parameters(function: Any) -> Any:
    return signature(function).parameters


@cache
def _with_pass(base: Any) -> Any:
    """Return the class of a fixture that measures, below the class of one that does not."""

    class WithPass(base):  # type: ignore[misc] # known only once pytest-benchmark is loaded
        """Does what pytest-benchmark does; then, if that went well, measures."""

        lem_pass: EnergyPass

        def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            result = super().__call__(*args, **kwargs)
            given = signature(super().__call__).bind(*args, **kwargs)
            function, *rest = given.args
            target = Target(function=function, args=rest, kwargs=given.kwargs)
            self.lem_pass.measure(target, self.extra_info)
            return result

        def pedantic(self, /, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            result = super().pedantic(*args, **kwargs)
            given = signature(super().pedantic).bind(*args, **kwargs)
            given.apply_defaults()
            function, args, kwargs, setup = (given.arguments[name] for name in _PEDANTIC)
            target = Target(
                function=function,
                args=args,
                kwargs=kwargs or {},
                setup=setup,
                teardown=given.arguments.get("teardown"),
            )
            self.lem_pass.measure(target, self.extra_info)
            return result

    return WithPass
