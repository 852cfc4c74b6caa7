"""What a baseline has and a run has not: missing where it was asked for, and nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

COMPARE = ("--lem-baseline=main", "--lem-fail-on=call_duration_s:99999999")
ONE = "def test_one(energy):\n    energy(burn)\n"
TWO = "@pytest.mark.parametrize('n', [1, 2])\ndef test_two(energy, n):\n    energy(burn)\n"
HEAD = "import pytest\nfrom burn import burn\n\n"


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first test leaves its store for the others, which begin with a copy."""
    return tmp_path_factory.mktemp("night") / ".lem"


@pytest.fixture
def suite_of_two(suite: Any, first_night: Path) -> Any:
    """Save a suite of two modules, with three cases, as a baseline; return the suite."""
    suite.makepyfile(test_a=HEAD + ONE, test_b=HEAD + TWO)
    store = suite.path / ".lem"
    if first_night.exists():
        shutil.copytree(first_night, store, symlinks=True)
    else:
        suite.runpytest_inprocess("--lem-save=main").assert_outcomes(passed=3)
        shutil.copytree(store, first_night, symlinks=True)
    return suite


def missing(stored: Any) -> list[str]:
    """Return the cases that a run lacks."""
    return sorted(c.case for c in stored().comparisons if "not_measured" in c.reasons)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-k", "one"),
        ("-k", "2"),
        ("test_a.py",),
        ("test_b.py::test_two",),
        ("test_b.py::test_two[1]",),
        ("--deselect=test_b.py::test_two[2]",),
        ("--ignore=test_b.py",),
        ("-m", "not parametrize"),
        ("-n2", "-k", "one"),
    ],
    ids=" ".join,
)
def test_what_was_not_selected_is_not_missing(
    suite_of_two: Any, stored: Any, arguments: tuple[str, ...]
) -> None:
    """A keyword, a marker, a path, a single test: each leaves the others out of the question."""
    run = suite_of_two.runpytest_subprocess if "-n2" in arguments else None
    run = run or suite_of_two.runpytest_inprocess

    result = run("--lem-json=run.json", *COMPARE, *arguments)

    assert result.ret == 0
    assert missing(stored) == []


@pytest.mark.parametrize(
    ("modules", "lacking"),
    [
        ({"test_b": HEAD + TWO.replace("[1, 2]", "[1]")}, ["test_b::test_two[2]"]),
        ({"test_a": HEAD + ONE.replace("test_one", "test_other")}, ["test_a::test_one"]),
        (
            {"test_b": HEAD + "@pytest.mark.skip\n" + TWO},
            ["test_b::test_two[1]", "test_b::test_two[2]"],
        ),
        ({"test_a": HEAD + ONE.replace("energy(burn)", "burn()")}, ["test_a::test_one"]),
    ],
    ids=["fewer-parameters", "renamed", "skipped", "not-measured"],
)
def test_what_was_selected_and_not_measured_is_missing(
    suite_of_two: Any,
    stored: Any,
    modules: dict[str, str],
    lacking: list[str],
) -> None:
    """The run fails although its tests pass, and says which cases are gone."""
    suite_of_two.makepyfile(**modules)

    result = suite_of_two.runpytest_inprocess("--lem-json=run.json", *COMPARE)

    has_new = "test_other" in str(modules)  # which has no history, and fails for that
    assert result.parseoutcomes().get("failed", 0) == int(has_new)
    assert result.ret == 1
    assert missing(stored) == lacking
    result.stdout.fnmatch_lines([f"lem: {name.replace('[', '[[]')}: in main*" for name in lacking])


def test_workers_miss_what_one_process_does(suite_of_two: Any, stored: Any) -> None:
    """A case that is not measured, one that is skipped and one that is gone, each in its worker."""
    skipped = TWO.replace("[1, 2]", "[pytest.param(1, marks=pytest.mark.skip)]")
    suite_of_two.makepyfile(
        test_a=HEAD + ONE.replace("energy(burn)", "burn()"), test_b=HEAD + skipped
    )

    result = suite_of_two.runpytest_subprocess("--lem-json=run.json", *COMPARE, "-n2")

    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 1
    names = ["test_a::test_one", "test_b::test_two[1]", "test_b::test_two[2]"]
    assert missing(stored) == names
    result.stdout.fnmatch_lines([f"lem: {name.replace('[', '[[]')}: in main*" for name in names])


def test_a_module_that_is_gone_is_missing(suite_of_two: Any, stored: Any) -> None:
    """Its cases lie within what was asked for, which is everything."""
    (suite_of_two.path / "test_a.py").unlink()

    assert suite_of_two.runpytest_inprocess("--lem-json=run.json", *COMPARE).ret == 1

    assert missing(stored) == ["test_a::test_one"]


def test_with_a_keyword_nobody_can_say_of_a_test_that_is_gone(
    suite_of_two: Any, stored: Any
) -> None:
    """It might not have been meant; without one it is missing."""
    (suite_of_two.path / "test_a.py").unlink()
    lem = suite_of_two.runpytest_inprocess("--lem-json=run.json", *COMPARE, "-k", "two")
    assert lem.ret == 0
    assert missing(stored) == []


def test_missing_can_be_allowed(suite_of_two: Any, stored: Any) -> None:
    """It is listed and fails nothing."""
    (suite_of_two.path / "test_a.py").unlink()
    allowed = "--lem-set=gate.fail_verdicts=[regressed]"

    assert suite_of_two.runpytest_inprocess("--lem-json=run.json", *COMPARE, allowed).ret == 0

    assert missing(stored) == ["test_a::test_one"]


def test_a_case_without_history_is_missing_unless_it_is_saved(
    suite_of_two: Any, stored: Any
) -> None:
    """A new benchmark fails against a baseline that does not know it, until it is added."""
    suite_of_two.makepyfile(test_c=HEAD + ONE)

    result = suite_of_two.runpytest_inprocess("--lem-json=run.json", *COMPARE)

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["*call_duration_s has no history in main: *add it with --lem-save"]
    )
    saved = suite_of_two.runpytest_inprocess("--lem-json=run.json", *COMPARE, "--lem-save=main")
    saved.assert_outcomes(passed=4)
    assert [c.reasons for c in stored().comparisons if c.verdict == "provisional"] == [
        ["first_session"]
    ]


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "parallel"])
def test_a_gate_that_compares_nothing_fails(suite_of_two: Any, workers: tuple[str, ...]) -> None:
    """Asked for by name, it must not pass because nothing that measures was selected."""
    suite_of_two.makepyfile(test_plain="def test_plain(): pass")
    run = suite_of_two.runpytest_subprocess if workers else suite_of_two.runpytest_inprocess

    result = run("--lem-json=run.json", *COMPARE, "test_plain.py", *workers)

    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["lem: the gate against main compared nothing, since no test*"])


def test_a_baseline_of_the_ini_file_leaves_plain_tests_alone(
    suite_of_two: Any, configure: Any
) -> None:
    """Who runs unit tests in such a project has not asked for a gate."""
    configure("lem_preset = smoke\nlem_baseline = main\n")
    suite_of_two.makepyfile(test_plain="def test_plain(): pass")

    assert suite_of_two.runpytest_inprocess("test_plain.py").ret == 0


def test_a_rule_that_applies_to_nothing_fails(suite_of_two: Any) -> None:
    """A metric that no case of the run has would be a gate that cannot close."""
    result = suite_of_two.runpytest_inprocess(*COMPARE, "--lem-fail-on=ttft_s:5")

    result.assert_outcomes(passed=3)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["lem: --lem-fail-on ttft_s:5 judged no case of this run, since *"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--lem-baseline=mian",), "the store *.lem has no history `mian`; did you mean `main`?"),
        (("--lem-baseline=other/run.json",), "cannot read the run file *run.json: No such file*"),
        (("--lem-fail-on=joules:5",), "*there is no metric 'joules'; *"),
        (("--lem-fail-on=mfu:5",), "*mfu is reported and never gated, *"),
        (("--lem-fail-on=ttft_s:-5",), "*'ttft_s:-5' is no rule; write METRIC:PCT*"),
        (("--lem-fail-on=ttft_s:9", "--lem-promise=10"), "--lem-promise 10: no gate can *"),
        (("--lem-under-test=backend.versoin",), "*no field 'backend.versoin'; did you mean*"),
        (("--lem-save=a/b",), "--lem-save: letters, digits, * not 'a/b'"),
        (("--lem-promise=much",), "--lem-promise: say per cent, not 'much'"),
        (("--lem-cycles=few",), "--lem-cycles: say a whole number, not 'few'"),
        (("--lem-cycles=0",), "--lem-cycles: `cycles`: * greater than or equal to 1, not 0"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_before_anything_is_measured(
    suite_of_two: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence, the exit status of a usage error, no traceback."""
    if not any(a.startswith("--lem-baseline") for a in arguments):
        arguments = ("--lem-baseline=main", *arguments)

    result = suite_of_two.runpytest_inprocess(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_rule_that_markers_replace_judged_nothing(suite_of_two: Any) -> None:
    """What was typed is not silently another rule's pass."""
    own = "@pytest.mark.energy(fail_on='call_duration_s:1000', promise=3000)\n"
    suite_of_two.makepyfile(test_a=HEAD + own + ONE, test_b=HEAD + own + TWO)

    result = suite_of_two.runpytest_inprocess("--lem-fail-on=call_duration_s:50", *COMPARE[:1])

    assert result.ret == 1
    result.stdout.fnmatch_lines(["lem: --lem-fail-on call_duration_s:50 judged no case of this *"])
