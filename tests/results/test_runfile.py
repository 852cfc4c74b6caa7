"""The run file: written whole, read with care."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pytest_lem.results
from pytest_lem.errors import LemError
from pytest_lem.results.journal import Journal
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, read_run, write_run

Make = Callable[..., Any]


@pytest.fixture
def run_file(infer_record: Make, call_record: Any) -> RunFile:
    """Return a run with two records."""
    run = Run(id="r1", started="2026-01-01T10:00:00+00:00", started_monotonic=5.0)
    return RunFile(run=run, records=[infer_record(), call_record], environments={"e": {"os": "L"}})


@pytest.fixture
def stored(run_file: RunFile, tmp_path: Path) -> Path:
    """Return the path of a written run file."""
    write_run(run_file, tmp_path / "run.json")
    return tmp_path / "run.json"


def _changed(path: Path, **fields: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return path


def _sentence(path: Path) -> str:
    with pytest.raises(LemError) as caught:
        read_run(path)
    assert caught.value.kind == "data"
    assert "\n" not in str(caught.value)
    prefix = f"cannot read the run file {path}: "
    assert str(caught.value).startswith(prefix)
    return str(caught.value).removeprefix(prefix)


def test_what_was_written_is_read(run_file: RunFile, tmp_path: Path) -> None:
    """Nothing is lost, in a folder that is made for it."""
    path = tmp_path / "new" / "folder" / "run.json"
    write_run(run_file, path)
    assert read_run(path) == run_file
    assert read_run(str(path)).records[0].rounds[0].work.output_tokens == 5


def test_the_fields_that_other_tools_read_are_where_they_look(stored: Path) -> None:
    """The contract of the file, by its exact paths."""
    content = json.loads(stored.read_text())
    assert set(content) == {
        "schema_version", "definitions_version", "run", "environments", "devices", "records",
        "comparisons", "extensions",
    }  # fmt: skip
    record = content["records"][0]
    assert {"key", "digest", "kind"} <= set(record["case"])
    assert {"backend", "model", "precision", "batch_size"} <= set(record["case"]["settings"])
    assert record["status"] == "ok"
    assert {"value", "u", "unit", "tier"} <= set(record["metrics"]["energy_per_output_token_j"])
    energy = record["rounds"][0]["energies"][0]
    assert set(energy) >= {"domain", "device", "value", "u_random", "u_systematic", "tier"}
    assert record["rounds"][0]["work"]["output_tokens"] == 5
    assert {
        "seq", "side", "pair", "stage", "load_id", "t0", "t1", "idle", "clocks", "temperatures",
        "throttling", "validity",
    } <= set(record["rounds"][0])  # fmt: skip


def test_unknown_fields_are_ignored(stored: Path, run_file: RunFile) -> None:
    """A newer minor version adds fields, and older readers go on."""
    content = json.loads(stored.read_text())
    content["records"][0]["added_later"] = content["records"][0]["rounds"][0]["added"] = 1
    _changed(stored, schema_version="1.99", added_later={}, records=content["records"])
    assert read_run(stored).records == run_file.records


def test_a_value_that_is_unknown_is_null(stored: Path) -> None:
    """Metrics without a value are there as null, with the reason."""
    metric = json.loads(stored.read_text())["records"][0]["metrics"]["power_peak_w"]
    assert (metric["value"], metric["reason"]) == (None, "no series of power was taken")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "it is damaged or no run file"),
        ("", "it is damaged or no run file"),
        ("[]", "it is damaged or no run file"),
        ("{}", "it is damaged or no run file"),
        ("3", "it is damaged or no run file"),
        ('{"schema_version": "2.0"}', "its format is 2.0, and this release reads 1.7"),
        ('{"schema_version": "10.0"}', "its format is 10.0, and this release reads 1.7"),
        ('{"schema_version": "1.0"}', "`run`: Field required"),
    ],
)
def test_what_is_no_run_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """A damaged file or another major version is told from a valid one before it is used."""
    path = tmp_path / "run.json"
    path.write_text(text)
    assert _sentence(path) == sentence


def test_bytes_that_are_no_text_are_one_sentence(tmp_path: Path) -> None:
    """A binary file is damaged as a run file."""
    path = tmp_path / "run.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert _sentence(path) == "it is damaged or no run file"


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """The sentence says what the system says."""
    assert _sentence(tmp_path / "no.json") == "No such file or directory"


@pytest.mark.parametrize("name", ["t.py::t[é\u2028漢]", "half of a pair \udc80"])
def test_every_text_is_written(run_file: RunFile, tmp_path: Path, name: str) -> None:
    """Also the name of a file in no encoding, for which there are escapes and no bytes."""
    run_file.records[0].nodeid = name
    write_run(run_file, tmp_path / "run.json")
    assert read_run(tmp_path / "run.json").records[0].nodeid == name


def test_what_is_no_number_is_unknown(run_file: RunFile, tmp_path: Path) -> None:
    """A reader of JSON finds null, and no word that JSON does not have."""
    run_file.extensions = {"x": {"a": float("nan"), "b": float("inf"), "c": 1.5}}
    write_run(run_file, tmp_path / "run.json")
    assert read_run(tmp_path / "run.json").extensions == {"x": {"a": None, "b": None, "c": 1.5}}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_figures_that_are_no_numbers_are_refused(stored: Path, value: str) -> None:
    """The sentence names the place of the figure."""
    text = stored.read_text()
    stored.write_text(text.replace('"t0": 10.0', f'"t0": {value}', 1))
    assert _sentence(stored) == "`records.0.rounds.0.t0`: Input should be a finite number"


def test_a_wrong_type_is_refused_with_its_place(stored: Path) -> None:
    """A file that was edited by hand is checked like any other."""
    _changed(stored, records=[{"case": 1}])
    assert _sentence(stored).startswith("`records.0.case`: ")


def test_a_write_that_fails_leaves_the_old_file(stored: Path, run_file: RunFile) -> None:
    """The system refuses to write on in the middle: the old file stays whole, and alone."""
    old = stored.read_bytes()
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pytest_lem.errors import LemError\n"
        "from pytest_lem.results.runfile import read_run, write_run\n"
        "path = Path(sys.argv[1])\n"
        "run = read_run(path)\n"
        "run.run.id = 'new'\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_run(run, path)\n"
        "except LemError as error:\n"
        "    print(error.kind, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, stored], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"storage cannot write the results to {stored} (File too large); "
        "they are kept in the journal\n"
    )
    assert stored.read_bytes() == old
    assert list(stored.parent.iterdir()) == [stored]


def test_a_place_that_cannot_be_written_is_one_sentence(run_file: RunFile, tmp_path: Path) -> None:
    """A file in the place of a folder, and a folder in the place of the file."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path, why in (
        (tmp_path / "file" / "run.json", r"cannot write .*run\.json \(a file stands"),
        (tmp_path / "folder", r"cannot write .*folder \(Is a directory\)"),
    ):
        with pytest.raises(LemError, match=why) as caught:
            write_run(run_file, path)
        assert caught.value.kind == "storage"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_journal_is_read_as_the_run_that_did_not_end(run_file: RunFile, tmp_path: Path) -> None:
    """Records, environments and devices of a killed run are where they would have been."""
    journal = Journal(tmp_path / "journal.jsonl")
    versions = {"schema_version", "definitions_version"}
    journal.append("format", run_file.model_dump(mode="json", include=versions))
    journal.append("run", run_file.run.model_dump(mode="json"))
    journal.append("devices", {"GPU-1": {"name": "Board"}})
    journal.append("environment", {"id": "e1", "cpu": "C"})
    for record in run_file.records:
        journal.append("record", record.plain())

    found = read_run(journal.path)

    assert (found.run, found.records) == (run_file.run, run_file.records)
    assert found.devices == {"GPU-1": {"name": "Board"}}
    assert found.environments["e1"]["cpu"] == "C"


def test_writing_replaces_the_file_that_was_there(stored: Path, run_file: RunFile) -> None:
    """The new content is there in full, and others may read it."""
    write_run(run_file.model_copy(update={"records": []}), stored)
    assert read_run(stored).records == []
    assert stored.stat().st_mode & 0o777 == 0o644


def test_the_packaged_schema_is_current() -> None:
    """The JSON Schema that other tools validate against follows the models."""
    path = Path(pytest_lem.results.__file__).with_name("run.schema.json")
    assert json.loads(path.read_text()) == RunFile.model_json_schema()
