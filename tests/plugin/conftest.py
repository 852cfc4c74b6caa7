"""Runs of pytest with the plugin, as users start them, away from what surrounds the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock  # noqa: F401
import pytest

# An inner run in this process forgets the modules that it imports, and classes made twice are
# not the same: everything it may need is therefore imported here.
import pytest_lem.plugin.body
import pytest_lem.plugin.bridge.hooks
import pytest_lem.plugin.collection
import pytest_lem.plugin.collector
import pytest_lem.plugin.cycles
import pytest_lem.plugin.gating
import pytest_lem.plugin.github
import pytest_lem.plugin.header
import pytest_lem.plugin.inference
import pytest_lem.plugin.judging
import pytest_lem.plugin.notifying
import pytest_lem.plugin.outcome
import pytest_lem.plugin.planning
import pytest_lem.plugin.pushing
import pytest_lem.plugin.reporting
import pytest_lem.plugin.resuming
import pytest_lem.plugin.samples
import pytest_lem.plugin.terminal
import pytest_lem.reports.brief
import pytest_lem.reports.delimited
import pytest_lem.reports.document
import pytest_lem.reports.html.page
import pytest_lem.reports.plaintext
import pytest_lem.reports.progress
import pytest_lem.reports.table
import pytest_lem.reports.verdicts  # noqa: F401
from pytest_lem import RunFile, read_run
from pytest_lem.energy.estimated import EstimatedMeter  # noqa: F401
from pytest_lem.results.entry import Figure
from pytest_lem.results.journal import read_journal
from pytest_lem.results.session import Session, read_session, write_session

Run = Callable[..., pytest.RunResult]

#: A process that samples would take longer to start than what most of these tests measure.
_UNSAMPLED = "lem_set = energy.sample_s=0\n"
_SURROUNDINGS = ("LEM_", "PYTEST_", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "CI", "GITHUB_", "BUILD_")


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away the variables by which the outer run, a user or a CI would be felt inside."""
    for name in list(os.environ):
        if name.startswith(_SURROUNDINGS) and name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    monkeypatch.setenv("LEM_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture
def configure(pytester: pytest.Pytester) -> Callable[[str], Path]:
    """Return a function that writes an ini file with the given lines."""
    # Hypothesis takes two seconds in each run, because it is imported anew for its summary.
    head = "[pytest]\naddopts = -p no:hypothesispytest -p no:cacheprovider\n"
    loop = "asyncio_default_fixture_loop_scope = function\n"
    return lambda lines: pytester.makeini(head + loop + lines)


@pytest.fixture
def suite(pytester: pytest.Pytester, configure: Callable[[str], Path]) -> pytest.Pytester:
    """Return an empty suite whose runs are short: two windows, none of a certain length."""
    configure(f"lem_preset = smoke\nlem_meter = estimated\n{_UNSAMPLED}")
    # CPU time enough for the ticks of the system's clock, however slow or busy the machine.
    pytester.makepyfile(
        burn="""
        import time

        def burn(seconds=0.05):
            start = time.process_time()
            while time.process_time() - start < seconds:
                pass
        """
    )
    return pytester


@pytest.fixture
def lem(suite: pytest.Pytester) -> Run:
    """Run pytest in this process on the given source of a test module; it writes `run.json`."""

    def run(source: str | None = None, *arguments: str) -> pytest.RunResult:
        if source is not None:
            suite.makepyfile(test_it=source)
        return suite.runpytest_inprocess("--lem-json=run.json", *arguments)

    return run


@pytest.fixture
def stored(suite: pytest.Pytester) -> Callable[[], RunFile]:
    """Return a function that reads, and thereby validates, the run file of the last run."""
    return lambda: read_run(Path(suite.path, "run.json"))


@pytest.fixture
def engine(
    suite: pytest.Pytester, configure: Callable[[str], Path], ngram: Path
) -> pytest.Pytester:
    """Let the suite measure the backend `ngram`, by a configuration file below all else."""
    configure("lem_preset = smoke\nlem_meter = estimated\nlem_config = lem.yaml\n")
    suite.path.joinpath("lem.yaml").write_text(
        f"backend: ngram\nmodel: {ngram}\nprecision: float64\nenergy: {{sample_s: 0}}\n"
    )
    return suite


@pytest.fixture
def journal(suite: pytest.Pytester) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that reads the records in the journal of the only run there is."""

    def read() -> list[dict[str, Any]]:
        (path,) = suite.path.glob(".lem/runs/*/journal.jsonl")
        return [line["record"] for line in read_journal(path) if line["type"] == "record"]

    return read


@pytest.fixture
def sessions(suite: pytest.Pytester) -> Callable[..., list[Session]]:
    """Return a function that reads the sessions of a history in the store of the suite."""

    def read(name: str = "main") -> list[Session]:
        paths = sorted(suite.path.glob(f".lem/baselines/{name}/*.jsonl"))
        return [read_session(path) for path in paths]

    return read


@pytest.fixture
def history(suite: pytest.Pytester, sessions: Callable[..., list[Session]]) -> Callable[..., None]:
    """Return a function that makes a history of what was measured last, with other figures.

    Each figure is that of the saved session times `factor`, the same in all `count` sessions: a
    machine that others use can be trusted with an order of magnitude and nothing finer.
    """

    def make(factor: float = 1.0, *, count: int = 8, name: str = "main", **changes: Any) -> None:
        saved = sessions(name)[-1]
        for entry in saved.entries:
            entry.state, entry.verdict = "joined", "pass"
            entry.figures = {
                metric: Figure(figure.value * factor, figure.resolution)
                for metric, figure in entry.figures.items()
            }
            for field, value in changes.items():
                setattr(entry, field, value)
        folder = suite.path / ".lem" / "baselines" / name
        for path in folder.glob("*.jsonl"):
            path.unlink()
        for number in range(count):
            session = saved.model_copy(update={"run": f"20260101T00000{number}-abcdef"})
            write_session(session, folder / f"{session.run}.jsonl")

    return make
