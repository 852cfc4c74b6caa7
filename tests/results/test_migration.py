"""Run files of earlier minor versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, read_run, write_run

OLD = {
    "meters": {"estimated": "estimated-1"},
    "model_sha256": "aa",
    "backend_version": "5",
    "gpus": [],
    "driver_branch": [],
    "cuda_major": [],
    "cpu": "A",
    "num_threads": 4,
}


@pytest.fixture
def old(tmp_path: Path, infer_record: Any) -> tuple[Path, Record]:
    """Return a run file as version 1.1 wrote it, and the record of today in its place."""
    record = infer_record(
        applied={"model_sha256": "aa", "backend_version": "5", "num_threads": 4},
    )
    run = Run(id="r", started="2026-01-01T00:00:00+00:00", started_monotonic=0.0)
    path = tmp_path / "run.json"
    environments = {record.environment or "e": {"cpu": "A"}}
    write_run(RunFile(run=run, environments=environments, records=[record]), path)
    content = json.loads(path.read_text())
    content["schema_version"] = "1.1"
    content["records"][0]["comparability"]["refuse"] = OLD
    path.write_text(json.dumps(content))
    return path, record


def test_the_facts_of_an_older_file_have_the_names_of_today(old: tuple[Path, Record]) -> None:
    """A baseline of an earlier release is compared by what it knows, not refused for its words."""
    path, _ = old

    [record] = read_run(path).records

    assert record.comparability
    facts = record.comparability.refuse
    assert facts["meter.estimated"] == "estimated-1"
    assert (facts["model.sha256"], facts["backend.version"]) == ("aa", "5")
    assert (facts["cpu.threads"], facts["gpu.count"]) == (4, 0)
    assert "model_sha256" not in facts


def test_a_file_of_today_is_left_as_it_is(old: tuple[Path, Record]) -> None:
    """Facts are never worked out anew where they are known."""
    path, _ = old
    content = json.loads(path.read_text())
    content["schema_version"] = "1.2"
    content["records"][0]["comparability"]["refuse"] = {"meter.x": "kept"}
    path.write_text(json.dumps(content))

    [record] = read_run(path).records

    assert record.comparability
    assert record.comparability.refuse == {"meter.x": "kept"}
