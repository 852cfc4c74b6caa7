"""MLflow: a run of its own for each record, made once however often it is pushed."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pytest_lem.case import digest
from pytest_lem.config.mlflow import uri_fault
from pytest_lem.errors import config_error
from pytest_lem.results.entry import flat_settings
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile
from pytest_lem.sinks.credential import lent_token
from pytest_lem.sinks.problem import tracking_error

_RUN, _RECORD = "pytest_lem.run", "pytest_lem.record"
#: MLflow refuses longer values.
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
#: Of one call at a time.
_MOST_PARAMS = 100
_SQLITE = "sqlite:///"
_CONNECT_S = 3.0
_PORTS = {"http": 80, "https": 443}
#: What a server that is gone or slow may take, and no news of anybody to MLflow's makers.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to, and whether files go along. Raises LemError for a URI that may hold a secret."""

    uri: str
    experiment: str
    has_artifacts: bool = True

    def __post_init__(self) -> None:
        if fault := uri_fault(self.uri):
            raise config_error(fault)


def store_uri(store: Path) -> str:
    """Return the tracking URI of the database in a store."""
    return f"{_SQLITE}{store.resolve() / 'mlflow.db'}"


def push(run_file: RunFile, folder: Path, target: Target) -> tuple[int, int]:
    """Push the records that are not there yet; return how many they are, and how many were there.

    `folder` is that of the run. A run that an earlier push left half done is made anew. Raises
    LemError (`tracking`) where MLflow is missing, does not answer, or refuses, and where there is
    no token in what should hold one.
    """
    with lent_token():
        _check(target.uri)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise tracking_error(
                "MLflow is not installed; install it with pip install 'pytest-lem[mlflow]'"
            ) from None
        try:
            return _pushed(MlflowClient(tracking_uri=target.uri), run_file, folder, target)
        except OSError as error:
            raise tracking_error(f"cannot push to MLflow ({error.strerror or error})") from error
        except Exception as error:  # whatever a client, a server or a database have to say
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise tracking_error(f"MLflow has refused: {first}") from error


def _pushed(client: Any, run_file: RunFile, folder: Path, target: Target) -> tuple[int, int]:
    batch = _Push(
        client, _experiment(client, target), run_file, folder if target.has_artifacts else None
    )
    found = dict(_present(client, batch.experiment, run_file.run.id))
    done = 0
    for record in run_file.records:
        name = _name(record)
        if present := found.get(name):
            if present.info.status != "RUNNING":
                continue
            client.delete_run(present.info.run_id)
        batch.add(record, name)
        done += 1
    return done, len(run_file.records) - done


def _experiment(client: Any, target: Target) -> str:
    found = client.get_experiment_by_name(target.experiment)
    if found is not None:
        return str(found.experiment_id)
    files = None
    if target.uri.startswith(_SQLITE):  # MLflow would put them wherever it was started
        files = Path(target.uri.removeprefix(_SQLITE)).with_name("mlflow-artifacts").as_uri()
    return str(client.create_experiment(target.experiment, artifact_location=files))


def _present(client: Any, experiment: str, run: str) -> Iterator[tuple[str, Any]]:
    token = None
    while True:
        page = client.search_runs([experiment], f"tags.`{_RUN}` = '{run}'", page_token=token)
        yield from ((found.data.tags.get(_RECORD, ""), found) for found in page)
        token = page.token
        if not token:
            return


def _name(record: Record) -> str:
    """Return what tells a record from all others of its run."""
    place = [record.nodeid, record.attempt, record.repetition, record.cycle]
    return digest({"case": record.case.digest, "place": place})


class _Push(NamedTuple):
    """Makes runs of MLflow's; `folder` None: without files."""

    client: Any
    experiment: str
    run_file: RunFile
    folder: Path | None

    def add(self, record: Record, name: str) -> None:
        """Make one. It is ended last: a run without an end is made anew by the next push."""
        from mlflow.entities import Metric, Param

        start_ms, end_ms = _times_ms(record, self.run_file)
        tags = {**_tags(record, self.run_file), _RECORD: name}
        made = self.client.create_run(self.experiment, start_ms, tags, run_name=record.case.key)
        run_id = made.info.run_id
        params = [Param(n, v[:_LONGEST_PARAM]) for n, v in _params(record).items()]
        metrics = [Metric(n, v, end_ms, 0) for n, v in metrics_of(record).items()]
        self.client.log_batch(run_id, metrics, params[:_MOST_PARAMS])
        for first in range(_MOST_PARAMS, len(params), _MOST_PARAMS):
            self.client.log_batch(run_id, params=params[first : first + _MOST_PARAMS])
        if self.folder is not None:
            self._attach(record, run_id, self.folder)
        status = "FINISHED" if record.status == "ok" else "FAILED"
        self.client.set_terminated(run_id, status, end_ms)

    def _attach(self, record: Record, run_id: str, folder: Path) -> None:
        self.client.log_text(run_id, json.dumps(record.plain(), indent=1), "record.json")
        if record.series and (samples := folder / record.series.path).is_file():
            self.client.log_artifact(run_id, str(samples), "series")


def metrics_of(record: Record) -> dict[str, float]:
    """Return what is known of a record: figures, their percentiles, what is derived from them."""
    found: dict[str, float] = {}
    for name, metric in {**record.metrics, **record.derived}.items():
        parts = {"": metric.value, ".p50": metric.p50, ".p90": metric.p90, ".p95": metric.p95,
                 ".p99": metric.p99, ".u": metric.u}  # fmt: skip
        found |= {f"{name}{part}": value for part, value in parts.items() if value is not None}
    return found


def _params(record: Record) -> dict[str, str]:
    settings = flat_settings(record.case.settings)
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in settings.items()}


def _tags(record: Record, run_file: RunFile) -> dict[str, str]:
    git = (run_file.environments.get(record.environment or "") or {}).get("git") or {}
    tags = {
        _RUN: run_file.run.id,
        "pytest_lem.key": record.case.key,
        "pytest_lem.digest": record.case.digest,
        "pytest_lem.kind": record.case.kind,
        "pytest_lem.nodeid": record.nodeid,
        "pytest_lem.status": record.status,
        "pytest_lem.validity": record.validity,
        "pytest_lem.origin": record.origin,
        "pytest_lem.reasons": " ".join(record.reasons),
        "pytest_lem.flags": " ".join(record.flags),
        "pytest_lem.message": record.message,
        "pytest_lem.cycle": record.cycle,
        "pytest_lem.attempt": record.attempt,
        "pytest_lem.preset": run_file.run.preset,
        "pytest_lem.tiers": " ".join(sorted({m.tier for m in record.metrics.values() if m.tier})),
        "pytest_lem.definitions_version": run_file.definitions_version,
        "mlflow.source.git.commit": git.get("commit"),
    }
    return {n: str(v)[:_LONGEST_TAG] for n, v in tags.items() if v is not None}


def _times_ms(record: Record, run_file: RunFile) -> tuple[int, int]:
    """Return start and end on the wall clock; those of the run where there are no windows."""
    run = run_file.run
    start_s = datetime.fromisoformat(run.started).timestamp()
    times = [t for r in record.rounds for t in (r.t0, r.t1)]
    times += [t for p in record.phases if not p.is_shared for t in (p.t0, p.t1)]
    if not times or record.origin == "resumed":  # whose clock may be that of another machine
        return int(start_s * 1000), int(start_s * 1000)
    shift_s = start_s - run.started_monotonic
    return int((min(times) + shift_s) * 1000), int((max(times) + shift_s) * 1000)


def _check(uri: str) -> None:
    """Find out in little time whether a server is there: MLflow would ask again and again."""
    parts = urlsplit(uri)
    if parts.scheme not in _PORTS:
        return
    try:
        place = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        socket.create_connection(place, timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise tracking_error(
            f"the MLflow server {parts.scheme}://{parts.hostname} does not answer"
        ) from error
