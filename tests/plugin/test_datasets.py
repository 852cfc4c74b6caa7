"""Prompts of a dataset, from the settings to what a model was sent."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = "def test_x(inference):\n    inference()\n"


def _set(*settings: str) -> list[str]:
    return [f"--lem-set=dataset.{setting}" for setting in settings]


def _workload(stored: Any) -> dict[str, Any]:
    (record,) = stored().records
    workload: dict[str, Any] = record.case.settings.model_extra["workload"]
    return workload


def test_each_prompt_has_the_length_that_was_drawn_for_it(
    engine: Any, lem: Any, stored: Any
) -> None:
    """Lengths between the limits reach the engine token by token."""
    drawn = _set("source=synthetic", "lengths=uniform", "least=3", "most=20", "samples=12")
    lem(SOURCE, *drawn, "--lem-batch-size=4").assert_outcomes(passed=1)
    (record,) = stored().records
    found = [request.input_tokens for request in record.rounds[0].requests[:12]]
    assert len(set(found)) > 4
    assert 3 <= min(found) <= max(found) <= 20
    assert "/b4/synthetic-" in record.case.key


def test_samples_of_a_file_are_what_is_sent(engine: Any, lem: Any, stored: Any) -> None:
    """A repetition sends all of them, and their hash stands in the case."""
    engine.path.joinpath("mine.jsonl").write_text('{"q": "aaa"}\n{"q": "bb"}\n{"q": "c"}\n')
    asked = _set("source=mine.jsonl", "column=q", "samples=3")
    lem(SOURCE, *asked).assert_outcomes(passed=1)
    (record,) = stored().records
    assert [request.input_tokens for request in record.rounds[0].requests[:3]] == [3, 2, 1]
    workload = _workload(stored)
    assert (workload["name"], workload["requests"]) == ("mine", 3)
    engine.path.joinpath("mine.jsonl").write_text('{"q": "aaa"}\n{"q": "bb"}\n{"q": "d"}\n')
    lem(SOURCE, *asked).assert_outcomes(passed=1)
    assert _workload(stored)["prompts_sha256"] != workload["prompts_sha256"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["source=none.txt"], "*cannot read the prompts none.txt: No such file*"),
        (["source=lem-prompts", "samples=5000"], "*has 200 prompts, and 5000 are asked for*"),
        (["source=lem-promts"], "*there is no dataset `lem-promts`: did you mean `lem-prompts`*"),
    ],
)
def test_a_dataset_that_cannot_be_used_fails_the_test_in_one_sentence(
    engine: Any, lem: Any, stored: Any, settings: list[str], sentence: str
) -> None:
    """The record has the kind of the failure, and there is no traceback."""
    result = lem(SOURCE, *_set(*settings))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([sentence])
    result.stdout.no_fnmatch_line("*Traceback*")
    (record,) = stored().records
    assert record.failure_kind in {"data", "config"}


def test_settings_that_mean_nothing_end_the_session(lem: Any) -> None:
    """They are refused before anything is measured, with where they were said."""
    result = lem(SOURCE, *_set("samples=3"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *samples needs dataset.source*"])
