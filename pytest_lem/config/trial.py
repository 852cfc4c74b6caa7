"""Trials: a minimal run for every example of everything that a backend can be told.

They follow from the classes that declare it, so that a new option is tried without a new test.
Options that may stand together share a load, since loading is what takes long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.config.parameter import Parameter, option_parameters, settings_parameters
from pytest_lem.config.workload import WorkloadSettings

_WORKLOAD = "workload."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One value of one parameter, with all that is to be set for it.

    Attributes:
        name: the parameter: an option of the backend, `precision`, or `workload.NAME`.
        value: the value that is tried.
        options: options of the backend, among them others with which it shares a load.
        precision: the precision; None for the configured one.
        workload: settings of the workload.
        needs_gpu: whether the value needs a GPU.
        is_read_back: whether the engine tells what is in force.

    """

    name: str
    value: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = None
    workload: Mapping[str, Any] = field(default_factory=dict)
    needs_gpu: bool = False
    is_read_back: bool = True

    @property
    def id(self) -> str:
        """Return name and value with a colon in between, which `-k` can select."""
        return f"{self.name}:{self.value}"


def trials_of(
    options: type[Any],
    precisions: Sequence[str],
    *,
    refuses: Sequence[str] = (),
    is_quick: bool = False,
) -> list[Trial]:
    """Return the trials of a backend, those that share a load after each other.

    Where the precision is that of the model's file (`auto`), there is no other to try. `refuses`
    are settings of the workload that the backend cannot follow. With `is_quick` there is one value
    for each parameter: its first example.
    """
    wanted = [
        (parameter, value, needs_gpu)
        for parameter in option_parameters(options)
        if parameter.is_tried
        for value, needs_gpu in _values(parameter, is_quick=is_quick)
    ]
    chosen = ["auto"] if "auto" in precisions else precisions
    found = _workload_trials(refuses, is_quick=is_quick)
    found += [Trial(name="precision", value=name, precision=name) for name in chosen]
    for pack in _packs(options, wanted):
        found += pack
    return found


def _values(parameter: Parameter, *, is_quick: bool) -> Iterator[tuple[Any, bool]]:
    """Yield the examples of a parameter, each with whether it needs a GPU."""
    examples = [(value, False) for value in parameter.examples]
    examples += [(value, True) for value in parameter.gpu_examples]
    yield from examples[:1] if is_quick else examples


def _workload_trials(refuses: Sequence[str], *, is_quick: bool) -> list[Trial]:
    return [
        Trial(
            name=parameter.path,
            value=value,
            workload={
                **parameter.companions,
                parameter.path.removeprefix(_WORKLOAD): value,
            },
            is_read_back=False,
        )
        for parameter in settings_parameters(WorkloadSettings, _WORKLOAD)
        if parameter.path.removeprefix(_WORKLOAD) not in refuses
        for value, _ in _values(parameter, is_quick=is_quick)
    ]


class _Pack:
    """Options that are set together, and the trials that ask for one of them each."""

    def __init__(self, *, is_closed: bool, needs_gpu: bool) -> None:
        self._is_closed = is_closed or needs_gpu  # what a GPU can do is for each to say
        self._needs_gpu = needs_gpu
        self._asked: list[tuple[Parameter, Any]] = []
        self._set: dict[str, Any] = {}

    def takes(self, options: type[Any], parameter: Parameter, value: Any, needs_gpu: bool) -> bool:
        """Put a value into this pack if it can stand with what is there."""
        added = {**parameter.companions, parameter.path: value}
        together = {**self._set, **added}
        is_apart = self._asked and (self._is_closed or parameter.is_alone)
        is_taken = any(self._set.get(name, wanted) != wanted for name, wanted in added.items())
        if is_apart or is_taken or needs_gpu != self._needs_gpu:
            return False
        try:
            options(**together)
        except ValueError:  # they exclude each other
            return False
        self._set = together
        self._asked.append((parameter, value))
        return True

    def trials(self) -> list[Trial]:
        """Return the trials, all with the same options."""
        return [
            Trial(
                name=parameter.path,
                value=value,
                options=dict(self._set),
                needs_gpu=self._needs_gpu,
                is_read_back=parameter.is_read_back,
            )
            for parameter, value in self._asked
        ]


def _packs(options: type[Any], wanted: list[tuple[Parameter, Any, bool]]) -> list[list[Trial]]:
    """Spread the values over as few sets of options as they allow, first come, first served."""
    packs: list[_Pack] = []
    for parameter, value, needs_gpu in wanted:
        if not any(pack.takes(options, parameter, value, needs_gpu) for pack in packs):
            pack = _Pack(is_closed=parameter.is_alone, needs_gpu=needs_gpu)
            if not pack.takes(options, parameter, value, needs_gpu):
                raise ValueError(f"the example {value!r} of `{parameter.path}` is not valid")
            packs.append(pack)
    return [pack.trials() for pack in packs]
