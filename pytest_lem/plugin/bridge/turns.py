"""Windows of one call each, for a target that needs something done before or after each call."""

from __future__ import annotations

from typing import Any

from pytest_lem.clock import Clock
from pytest_lem.energy.panel import Panel
from pytest_lem.measure.method import Method
from pytest_lem.measure.rest import Rests
from pytest_lem.plugin.bridge.target import Arguments, Target
from pytest_lem.plugin.calls import synchronise


class Turns(Rests):
    """Rests between windows, in which the next call is set up and the last one torn down.

    Both are outside of the windows: what they take is no part of the call.
    """

    def __init__(
        self, method: Method, panel: Panel, clock: Clock, case_key: str, target: Target
    ) -> None:
        super().__init__(method, panel, clock, case_key)
        self._target = target
        self._arguments: Arguments | None = None

    def before_round(self) -> None:
        """Tear down the call of the window before, rest, and set up the next."""
        self.tear_down()
        super().before_round()
        self._arguments = self._target.prepare()
        synchronise()  # work that the setup left to a GPU belongs to no window

    def call(self) -> Any:
        """Call the target with what was set up."""
        args, kwargs = self._arguments or ((), {})
        return self._target.function(*args, **kwargs)

    def tear_down(self) -> None:
        """Tear down the last call, if there was one."""
        if self._arguments is not None and self._target.teardown:
            args, kwargs = self._arguments
            self._target.teardown(*args, **kwargs)
        self._arguments = None
