"""The marker without a fixture: the body of the test is the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_lem.measure.call import run_sync
from pytest_lem.plugin.calls import Meterage, synchronise
from pytest_lem.plugin.session import LemSession


@contextmanager
def measured_body(session: LemSession, item: pytest.Item) -> Iterator[None]:
    """Measure `item.runtest`, which runs sync and async bodies alike, while inside."""
    meterage = Meterage(session, item)
    runtest: Any = item.runtest

    def body() -> None:
        runtest()
        # unittest keeps what a test raised to itself; another round would come on top of it.
        for kept in getattr(item, "_excinfo", None) or ():
            raise kept.value

    def measured() -> None:
        case = meterage.case(None, meterage.mark.unit)
        if meterage.is_resumed(case):
            return
        with meterage.recorded(case) as measurement:
            protocol = meterage.protocol(case, meterage.plan(is_body=True), measurement)
            run_sync(protocol, body, synchronise=synchronise)

    item.runtest = measured  # type: ignore[method-assign]
    try:
        yield
    finally:
        del item.runtest
