"""A NVML whose answers are set by hand, to put into a Driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.gpu.driver import Driver

NOT_SUPPORTED, NOT_FOUND = 3, 6


class NVMLError(Exception):
    """What pynvml raises."""

    def __init__(self, value: int) -> None:
        super().__init__(f"error {value}")
        self.value = value


@dataclass
class Nvml:
    """The part of `pynvml` that is asked here. The handle of a device is its UUID.

    `answers` has what each device says, by function without its prefix: a value, an exception, or
    a function of the further arguments. What it does not have is refused as not supported.
    """

    answers: dict[str, dict[str, Any]]
    system: dict[str, Any] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    sessions: int = 0
    NVMLError = NVMLError

    def nvmlInit(self) -> None:  # noqa: N802 - pynvml's name
        self.sessions += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.sessions -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.answers)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return list(self.answers)[index]

    def nvmlDeviceGetUUID(self, handle: str) -> str:  # noqa: N802
        return handle

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid not in {*self.answers, *self.parents}:
            raise NVMLError(NOT_FOUND)
        return uuid

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> str:  # noqa: N802
        return self.parents[handle]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("nvmlSystemGet"):
            return lambda: _given(self.system.get(name.removeprefix("nvmlSystemGet")))
        if name.startswith("nvmlDeviceGet"):
            key = name.removeprefix("nvmlDeviceGet")
            return lambda handle, *more: _given(self.answers[handle].get(key), *more)
        raise AttributeError(name)


def _given(answer: Any, *arguments: Any) -> Any:
    if callable(answer):
        answer = answer(*arguments)
    if answer is None:
        raise NVMLError(NOT_SUPPORTED)
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.fixture
def refusal() -> Callable[[int], NVMLError]:
    """Make what NVML raises for one of its codes."""
    return NVMLError


@pytest.fixture
def driver() -> Callable[..., Driver]:
    """Open a driver on boards: UUID to answers; `system` and `parents` as in Nvml."""

    def make(answers: dict[str, dict[str, Any]], **more: Any) -> Driver:
        made = Driver(Nvml(answers, **more))
        made.open()
        return made

    return make


@pytest.fixture
def fields() -> Callable[[dict[int, int]], Callable[[list[int]], list[SimpleNamespace]]]:
    """Make the answer of FieldValues from numbers and values; others are refused one by one."""

    def make(values: dict[int, int]) -> Callable[[list[int]], list[SimpleNamespace]]:
        return lambda numbers: [
            SimpleNamespace(
                nvmlReturn=0 if n in values else NOT_SUPPORTED,
                value=SimpleNamespace(ullVal=values.get(n, 7)),
            )
            for n in numbers
        ]

    return make
