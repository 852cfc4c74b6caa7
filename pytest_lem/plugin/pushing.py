"""Pushing a run to MLflow when it is over, in a process that cannot hold it up for long."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator

import pytest

from pytest_lem.config.mlflow import MlflowSettings
from pytest_lem.plugin.rundir import run_directory, store_directory
from pytest_lem.results.runfile import RunFile

_LATER = "nothing is lost, and `lem push` sends the rest later"


class Pusher:
    """One for a session, in the controlling process. MLflow is never imported there."""

    def __init__(self, config: pytest.Config, mlflow: MlflowSettings) -> None:
        self._config = config
        self._mlflow = mlflow
        self._note: str | None = None
        self._is_done = False
        self._is_fatal = False

    @property
    def problem(self) -> str | None:
        """Return why a push that was required was not done; None where nothing fails by it."""
        return self._note if self._is_fatal else None

    def pytest_lem_report(self, run_file: RunFile) -> None:
        """Push what is in the run file, which has been written."""
        if not run_file.records:
            return
        mlflow = self._mlflow
        self._is_done, self._note = self._pushed()
        self._is_fatal = mlflow.required and not self._is_done
        if self._is_fatal:
            self._note += "; `mlflow.required` makes that fail the session"

    @pytest.hookimpl(wrapper=True, trylast=True)  # inside of all that look at the status
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Fail a session that has passed without the push that it required."""
        result = yield
        if self._is_fatal and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in one line what came of it."""
        if self._note and not (self._is_done and self._config.get_verbosity("lem") < 0):
            color = {"red": self._is_fatal, "yellow": not (self._is_done or self._is_fatal)}
            terminalreporter.write_line(f"lem: {self._note}", **color)

    def _pushed(self) -> tuple[bool, str]:
        mlflow = self._mlflow
        limit_s = mlflow.timeout_s
        try:
            ended = subprocess.run(  # noqa: S603 - our own command
                self._command(),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, f"mlflow: not done within {limit_s:g} s; {_LATER}"
        except OSError as error:
            return False, f"mlflow: cannot be started ({error.strerror}); {_LATER}"
        if ended.returncode == 0:
            return True, ended.stdout.strip()
        silence = f"it ended without a word, with status {ended.returncode}; {_LATER}"
        last = (ended.stderr.strip().splitlines() or [silence])[-1]
        return False, f"mlflow: {last}"

    def _command(self) -> list[str]:
        mlflow = self._mlflow
        command = [sys.executable, "-m", "pytest_lem.cli.main", "push"]
        command += [str(run_directory(self._config))]
        command += ["--store", str(store_directory(self._config))]
        command += ["--experiment", mlflow.experiment]
        command += ["--uri", mlflow.uri] if mlflow.uri else []
        return command + ([] if mlflow.artifacts else ["--no-artifacts"])
