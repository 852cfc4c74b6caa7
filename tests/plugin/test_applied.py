"""What runs is held against what was asked for: a warning, in strict mode an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile

Lem = Callable[..., pytest.RunResult]
Stored = Callable[[], RunFile]

#: An engine with limits, of which it tells nothing but what it does.
BACKEND = '''
from dataclasses import replace

from ngram_backend import NgramBackend


class LimitedBackend(NgramBackend):
    """Looks at no more than three characters, and at one request after the other."""

    name = "limited"

    def load(self, spec):
        order = min(spec.options.order, 3)
        applied = super().load(replace(spec, options=replace(spec.options, order=order)))
        return applied | {"options": {"order": order}}

    def run(self, batch):
        found = []
        for row, length in zip(batch.rows, batch.lengths):
            found.append(super().run(replace(batch, rows=[row], lengths=[length])))
        return found

    def requests(self, outcome):
        found = []
        for part in outcome:
            found += super().requests(part)
        return found
'''
TEST = "def test_it(inference):\n    inference({})"
ORDER = "`backends.limited.order`: asked for 5, in force is 3"
BATCH = "`batch_size`: asked for 2, in force is 1"
LENIENT = "--lem-set=strict=false"


@pytest.fixture(autouse=True)
def _limited(engine: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the engine, and let the suite measure it."""
    folder = tmp_path / "limited"
    about = folder / "limited-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "limited_backend.py").write_text(BACKEND)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: limited\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[pytest_lem.backends]\nlimited = limited_backend:LimitedBackend\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    config = engine.path / "lem.yaml"
    config.write_text(config.read_text().replace("backend: ngram", "backend: limited"))


def _notes(record: Record) -> list[str]:
    """Return what a record says of settings that are not in force."""
    return [w.message for w in record.warnings if w.category == "NotApplied"]


def test_another_value_in_force_is_a_warning(lem: Lem, stored: Stored) -> None:
    """The case is measured; its record has both values, and a flag."""
    lem(TEST.format("options={'order': 5}"), LENIENT).assert_outcomes(passed=1)

    (record,) = stored().records
    assert _notes(record) == [ORDER]
    assert "not_as_asked" in record.flags
    assert (record.status, len(record.rounds)) == ("ok", 2)
    assert record.applied["options"] == {"order": 3}


def test_the_value_asked_for_is_no_warning(lem: Lem, stored: Stored) -> None:
    """What the engine can do passes, in strict mode too."""
    lem(TEST.format("options={'order': 2}")).assert_outcomes(passed=1)

    (record,) = stored().records
    assert _notes(record) == []
    assert "not_as_asked" not in record.flags


def test_strict_mode_fails_before_anything_is_measured(lem: Lem, stored: Stored) -> None:
    """The error is one of what was asked for, in one sentence with both values."""
    done = lem(TEST.format("options={'order': 5}"), "--lem-set=strict=true")

    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([f"*the engine does not run as it was asked to ({ORDER});*"])
    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "config")
    assert record.rounds == []
    assert _notes(record) == [ORDER]
    assert "not_as_asked" in record.flags


@pytest.mark.parametrize(("preset", "outcome"), [("smoke", "failed"), ("quick", "passed")])
def test_smoke_is_strict_by_itself(lem: Lem, preset: str, outcome: str) -> None:
    """A look whether everything reaches the engine must not pass where it does not."""
    short = (f"--lem-set=measure.{name}=0" for name in ("min_window_s", "warmup_max_s", "idle_s"))

    done = lem(TEST.format("options={'order': 5}"), f"--lem-preset={preset}", *short)

    done.assert_outcomes(**{outcome: 1})


def test_a_batch_that_does_not_run_together_is_noticed(lem: Lem, stored: Stored) -> None:
    """The batch in force is the most requests that really were in one step."""
    lem(TEST.format("batch_size=2, options={'order': 2}"), LENIENT).assert_outcomes(passed=1)

    (record,) = stored().records
    assert _notes(record) == [BATCH]
    assert "not_as_asked" in record.flags
    assert record.applied["batch_size"] == 1


def test_strict_mode_keeps_what_was_measured_of_such_a_batch(lem: Lem, stored: Stored) -> None:
    """It is only known after the rounds, which stay in the record of the failure."""
    lem(TEST.format("batch_size=2, options={'order': 2}")).assert_outcomes(failed=1)

    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "config")
    assert f"({BATCH})" in str(record.message)
    assert len(record.rounds) == 2


def test_every_case_of_a_load_is_warned_of(lem: Lem, stored: Stored) -> None:
    """A case that finds the model loaded is no better off than the one that loaded it."""
    first = TEST.format("options={'order': 5}")
    second = TEST.format("options={'order': 5}, workload={'name': 'again'}")

    lem(f"{first}\n{second.replace('test_it', 'test_again')}", LENIENT)

    records = stored().records
    assert [phase.name for record in records for phase in record.phases].count("load") == 1
    assert [_notes(record) for record in records] == [[ORDER], [ORDER]]
    assert all("not_as_asked" in record.flags for record in records)
