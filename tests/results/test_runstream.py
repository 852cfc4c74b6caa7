"""The records of a run one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.results.journal import Journal
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, read_run, write_run
from pytest_lem.results.runstream import RunStream


@pytest.fixture
def run_file(infer_record: Any) -> RunFile:
    """Make a run of three records."""
    records = [infer_record().model_copy(update={"nodeid": f"t{n}"}) for n in range(3)]
    run = Run(id="20260102T030405-abcdef", started="2026-01-02", started_monotonic=0.0)
    return RunFile(run=run, records=records)


@pytest.fixture(params=["run.json", "journal.jsonl"])
def path(request: pytest.FixtureRequest, run_file: RunFile, tmp_path: Path) -> Path:
    """Write it, whole or as the journal of a run that was killed."""
    path = Path(tmp_path, request.param)
    if path.suffix == ".json":
        write_run(run_file, path)
        return path
    journal, content = Journal(path), run_file.model_dump(mode="json")
    journal.append("format", {"schema_version": content["schema_version"]})
    journal.append("run", content["run"])
    for plain in content["records"]:
        journal.append("record", plain)
    with path.open("a") as file:
        file.write('{"type": "record", "reco')
    return path


def test_it_has_what_the_whole_has(path: Path) -> None:
    """The run, the version of the definitions, and the records, as often as they are asked for."""
    whole, stream = read_run(path), RunStream(path)
    assert (stream.run, stream.definitions_version) == (whole.run, whole.definitions_version)
    assert list(stream.records) == list(stream.records) == whole.records


def test_a_run_whose_records_come_first_is_read(run_file: RunFile, tmp_path: Path) -> None:
    """The order of the members is nobody's promise."""
    content = run_file.model_dump(mode="json")
    path = tmp_path / "run.json"
    path.write_text(json.dumps(dict(sorted(content.items()))))
    stream = RunStream(path)
    assert stream.run.id == run_file.run.id
    assert list(stream.records) == run_file.records


def test_an_old_run_is_brought_up_to_date(run_file: RunFile, tmp_path: Path) -> None:
    """Its facts follow from what stands elsewhere in the file."""
    path = tmp_path / "run.json"
    write_run(run_file.model_copy(update={"schema_version": "1.1"}), path)
    assert list(RunStream(path).records) == read_run(path).records


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema_version": "1.4"}', '{"schema_version": "9.0", "run": {}}',
     '{"schema_version": "1.4", "run": {"id": 1}}', "nothing"],
)  # fmt: skip
def test_what_is_no_run_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    """As for who reads it at once."""
    path = tmp_path / "run.json"
    path.write_text(text)
    for read in (read_run, RunStream):
        with pytest.raises(LemError, match=r"^cannot read the run file .*run\.json: ") as caught:
            read(path)
        assert caught.value.kind == FailureKind.DATA


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """Of either format."""
    for name in ("run.json", "journal.jsonl"):
        with pytest.raises(LemError, match="No such file"):
            RunStream(tmp_path / name)


def test_damage_among_the_records_shows_when_they_are_read(
    run_file: RunFile, tmp_path: Path
) -> None:
    """With the place of a record that is none, and a sentence where the file was cut short."""
    path = tmp_path / "run.json"
    content = run_file.model_dump(mode="json")
    content["records"][1]["validity"] = "perhaps"
    path.write_text(json.dumps(content))
    with pytest.raises(LemError, match=r"`records\.1\.validity`: "):
        list(RunStream(path).records)
    write_run(run_file, path)
    path.write_text(path.read_text().partition('"comparisons"')[0].rpartition('"nodeid"')[0])
    with pytest.raises(LemError, match="damaged"):
        list(RunStream(path).records)
