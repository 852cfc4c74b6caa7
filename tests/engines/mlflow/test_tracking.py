"""Runs pushed to a real MLflow: into a database, and through a server that comes and goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from mlflow import MlflowClient

from pytest_lem.results.runfile import read_run
from pytest_lem.sinks.tracking import Target, metrics_of, push, store_uri

SUITE = """
    def work():
        return sorted(range(20_000), key=lambda x: -x)

    def test_one(energy):
        energy(work)

    def test_two(energy):
        energy(work)
        assert False, "two is odd"
"""
OPTIONS = ("--lem-preset=smoke", "--lem-meter=estimated", "--lem-set=energy.sample_s=0")
PUSH = "--lem-set=mlflow.push=true"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a suite of two."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(dedent(SUITE))
    return folder


@pytest.fixture
def measured(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that measures the suite in a process of its own, and gives what it said.

    Not by `pytester`, which lets this process forget what it imports: SQLAlchemy would be there
    twice.
    """
    monkeypatch.setenv("LEM_LOCK_DIR", str(place / "locks"))

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *OPTIONS, *arguments]
        ended = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        assert "1 failed, 1 passed" in ended.stdout, ended.stdout + ended.stderr
        return ended.stdout

    return run


def runs(store: Path, experiment: str = "pytest-lem") -> list[Any]:
    """Return the runs in the database of a store, by their names."""
    client = MlflowClient(tracking_uri=store_uri(store))
    found = client.get_experiment_by_name(experiment)
    return sorted(client.search_runs([found.experiment_id]), key=lambda run: run.info.run_name)


def test_a_session_is_pushed_when_it_ends(measured: Any, place: Path) -> None:
    """A run for each case, with what the run file has: params, figures, tags, times, the record."""
    said = measured(PUSH)

    assert f"lem: mlflow: 2 of 2 records pushed to {store_uri(place / '.lem')}" in said
    (path,) = place.glob(".lem/runs/*/run.json")
    first, second = read_run(path).records
    one, two = runs(place / ".lem")
    assert (one.info.run_name, one.info.status) == ("test_it::test_one", "FINISHED")
    assert (two.info.status, two.data.tags["pytest_lem.status"]) == ("FAILED", "failed")
    assert two.data.tags["pytest_lem.message"] == second.message
    assert one.data.tags["pytest_lem.run"] == path.parent.name
    assert one.data.tags["pytest_lem.tiers"] == "estimated"
    assert one.data.params["name"] == "test_it::test_one"
    assert one.data.metrics == pytest.approx(metrics_of(first))
    assert one.data.metrics["energy_per_call_j"] == first.metrics["energy_per_call_j"].value
    assert "energy_per_output_token_j" not in one.data.metrics
    assert one.info.end_time >= one.info.start_time > 0
    client = MlflowClient(tracking_uri=store_uri(place / ".lem"))
    files = place / "files"
    files.mkdir()
    client.download_artifacts(one.info.run_id, "record.json", str(files))
    assert json.loads((files / "record.json").read_text()) == first.plain()
    assert not (place / "mlruns").exists()


def test_pushing_again_adds_nothing(measured: Any, place: Path) -> None:
    """What was left half done is made anew, and never twice."""
    measured()
    store = place / ".lem"
    (path,) = store.glob("runs/*/run.json")
    run_file, target = read_run(path), Target(uri=store_uri(store), experiment="pytest-lem")
    assert push(run_file, path.parent, target) == (2, 0)
    assert push(run_file, path.parent, target) == (0, 2)
    client, (one, _) = MlflowClient(tracking_uri=target.uri), runs(store)
    client.update_run(one.info.run_id, status="RUNNING")
    assert push(run_file, path.parent, target) == (1, 1)
    again = runs(store)
    assert [run.info.run_name for run in again] == ["test_it::test_one", "test_it::test_two"]
    assert again[0].info.run_id != one.info.run_id


def test_the_settings_reach_what_they_are_for(measured: Any, place: Path) -> None:
    """Another database, another experiment, no files."""
    database = place / "elsewhere" / "mlflow.db"
    database.parent.mkdir()
    measured(
        PUSH,
        f"--lem-set=mlflow.uri=sqlite:///{database}",
        "--lem-set=mlflow.experiment=decode",
        "--lem-set=mlflow.artifacts=false",
    )
    found = runs(database.parent, "decode")
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    assert len(found) == 2
    assert client.list_artifacts(found[0].info.run_id) == []
    assert not (place / ".lem" / "mlflow.db").exists()


def test_a_run_that_is_not_done_in_time_is_pushed_later(measured: Any, place: Path) -> None:
    """The limit costs a note and no data."""
    note = (
        "lem: mlflow: not done within 0.01 s; nothing is lost, and `lem push` sends the rest later"
    )
    assert note in measured(PUSH, "--lem-set=mlflow.timeout_s=0.01")
    command = [sys.executable, "-m", "pytest_lem.cli.main", "push", "latest"]
    said = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("mlflow: 2 of 2 records pushed to sqlite:///")
    assert len(runs(place / ".lem")) == 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Start MLflow's own server on a database, and return its address."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "0",
               "--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path}/server.db",
               "--artifacts-destination", str(tmp_path / "files")]  # fmt: skip
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = (line.partition("running on ")[2].split() for line in process.stderr)
            yield next(words[0] for words in lines if words)
        finally:
            process.terminate()


def test_a_server_gets_it_too(measured: Any, server: str) -> None:
    """With its files, through HTTP."""
    measured(PUSH, f"--lem-set=mlflow.uri={server}")
    client = MlflowClient(tracking_uri=server)
    found = client.search_runs([client.get_experiment_by_name("pytest-lem").experiment_id])
    assert len(found) == 2
    assert [file.path for file in client.list_artifacts(found[0].info.run_id)] == ["record.json"]


@pytest.fixture
def guard() -> Iterator[tuple[str, list[str | None]]]:
    """Start a server that lets nobody in; return its address, and the credentials it was shown."""
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", shown
        listening.shutdown()
        thread.join()


def test_the_token_of_a_file_is_shown_to_the_server_alone(
    measured: Any, place: Path, guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in nothing that is said or stored, also where the server refuses it."""
    uri, shown = guard
    (place.parent / "token").write_text("t0ken-s3cret\n")
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN_FILE", str(place.parent / "token"))
    said = measured(PUSH, f"--lem-set=mlflow.uri={uri}")
    assert "lem: mlflow: MLflow has refused: " in said
    assert set(shown) == {"Bearer t0ken-s3cret"}
    assert "s3cret" not in said
    stored = [path for path in place.rglob("*") if path.is_file()]
    assert [path for path in stored if b"s3cret" in path.read_bytes()] == []


def test_a_push_that_was_required_and_done_passes(place: Path) -> None:
    """And fails where it could not be done, with the same files."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        *OPTIONS,
        "-k",
        "one",
        PUSH,
    ]
    command += ["--lem-set=mlflow.required=true"]
    environment = {**os.environ, "LEM_LOCK_DIR": str(place / "locks")}
    for late, status in (([], 0), (["--lem-set=mlflow.timeout_s=0.01"], 1)):
        ended = subprocess.run([*command, *late], cwd=place, env=environment, check=False)
        assert ended.returncode == status
    assert len(list(place.glob(".lem/runs/*/run.json"))) == 2
    assert len(runs(place / ".lem")) == 1
