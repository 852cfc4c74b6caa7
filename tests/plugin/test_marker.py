"""The arguments of `@pytest.mark.energy`: mistakes, keys and budgets."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pytest_lem.plugin.markers import EnergyMark

LIMITS = "`slo` is a mapping of ttft_s, tpot_s, e2e_s to seconds above 0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("wrk=3", "unknown keyword `wrk`; did you mean `work`?"),
        ("max_joule=3", "unknown keyword `max_joule`; did you mean `max_joules`?"),
        ("3", "takes keywords only, not 3"),
        ("work=0", "`work` is a number above 0, not 0"),
        ("work='3'", "`work` is a number above 0, not '3'"),
        ("work=True", "`work` is a number above 0, not True"),
        ("max_joules=float('nan')", "`max_joules` is a number above 0, not nan"),
        ("max_joules=-1", "`max_joules` is a number above 0, not -1"),
        ("max_joules_per_unit=[]", "`max_joules_per_unit` is a number above 0, not []"),
        ("min_window=float('inf')", "`min_window` is a number above 0, not inf"),
        ("slo={'ttft': 1}", f"{LIMITS}, not {{'ttft': 1}}"),
        ("slo={'ttft_s': 0}", f"{LIMITS}, not {{'ttft_s': 0}}"),
        ("slo=0.5", f"{LIMITS}, not 0.5"),
        ("rounds=0", "`rounds` is a whole number from 1 up, not 0"),
        ("rounds=2.5", "`rounds` is a whole number from 1 up, not 2.5"),
        ("name=''", "`name` is a text, not ''"),
        ("unit=7", "`unit` is a text, not 7"),
    ],
)
def test_a_mistake_in_the_marker_ends_the_collection_with_a_sentence(lem, arguments, sentence):
    """Exit status 4 and one line with the test, what is wrong and what would do."""
    result = lem(f"import pytest\n@pytest.mark.energy({arguments})\ndef test_x():\n    pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        f"ERROR: test_it.py::test_x: @pytest.mark.energy: {sentence}"
    )


def test_a_mistake_reaches_the_user_of_xdist(lem):
    """A worker cannot print its error, so the controlling process says it."""
    result = lem("import pytest\n@pytest.mark.energy(wrk=3)\ndef test_x():\n    pass", "-n1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: test_it.py::test_x: @pytest.mark.energy: unknown keyword" in result.stderr.str()
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("field", EnergyMark.__dataclass_fields__)
def test_the_help_on_markers_names_every_keyword(lem, field):
    """`pytest --markers` is the reference that people have at hand."""
    assert f"{field}=" in lem(None, "--markers").stdout.str()


def test_none_counts_as_not_given(lem):
    """A keyword may be None, so that a wrapper can pass on what it has."""
    lem(
        "import pytest\n@pytest.mark.energy(work=None, rounds=None)\ndef test_x():\n    pass",
        "--strict-markers",
    ).assert_outcomes(passed=1)


def test_the_closest_marker_counts(lem, stored):
    """A marker on the function takes the place of the one on its class."""
    lem(
        """
        import pytest

        @pytest.mark.energy(rounds=3, unit="page")
        class TestShelf:
            @pytest.mark.energy(rounds=2)
            def test_x(self):
                pass
        """
    )
    (record,) = stored().records
    assert (len(record.rounds), record.case.settings.unit) == (2, None)


BUDGET = """
import pytest
from burn import burn

@pytest.mark.energy(work=4, unit="page", {limit})
def test_budget():
    burn()

def test_after():
    pass
"""


@pytest.mark.parametrize(
    ("limit", "unit"), [("max_joules=1e-6", "J/call"), ("max_joules_per_unit=1e-6", "J/unit")]
)
def test_a_broken_budget_fails_the_test_with_one_sentence(lem, stored, limit, unit):
    """A FAILED line with figure, uncertainty and limit; no traceback of a harness."""
    result = lem(BUDGET.format(limit=limit), "-rf")
    result.assert_outcomes(passed=1, failed=1)
    sentence = rf"over the energy budget: [\d.]+ \+- [\d.]+ {unit} \(an estimate\)"
    sentence += f" is more than 1e-06 {unit}"
    result.stdout.re_match_lines(
        [
            "_+ test_budget _+",
            f"^test_it::test_budget: {sentence}$",
            r"FAILED test_it.py::test_budget - test_it::test_budget: over the",
        ]
    )
    result.stdout.no_fnmatch_line("*Error*")
    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "gate")
    assert record.message.startswith("over the energy budget: ")
    assert record.metrics["energy_per_call_j"].value > 0


def test_a_kept_budget_passes(lem, stored):
    """Limits above the figures change nothing."""
    lem(BUDGET.format(limit="max_joules=1e6, max_joules_per_unit=1e6")).assert_outcomes(passed=2)
    assert stored().records[0].status == "ok"


def test_a_budget_fails_closed_when_the_energy_is_unknown(lem):
    """No figure keeps no limit: a dead sensor must never pass a gate."""
    result = lem(
        "import pytest\n@pytest.mark.energy(max_joules_per_unit=1)\n"
        "def test_x():\n    from burn import burn; burn()"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*energy budget of 1 J/unit cannot be judged: no `work` was stated for it"]
    )


def test_a_budget_that_nothing_is_held_against_fails(lem):
    """A test that never calls its fixture would otherwise keep any budget."""
    result = lem(
        "import pytest\n@pytest.mark.energy(max_joules=1e6)\ndef test_x(energy):\n    pass"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["the marker sets an energy budget, but this test measured nothing; call the fixture, *"]
    )


def test_a_broken_budget_is_a_failure_in_junit(lem, suite):
    """CI servers show the sentence as the failure of the test."""
    lem(BUDGET.format(limit="max_joules=1e-6"), "--junitxml=junit.xml")
    failure = ET.parse(suite.path / "junit.xml").find(".//testcase/failure")  # noqa: S314 - ours
    assert failure is not None
    assert failure.get("message").startswith("test_it::test_budget: over the energy budget: ")


def test_a_broken_budget_stops_at_the_first_failure(lem):
    """`-x` ends the run, as after any other failure."""
    lem(BUDGET.format(limit="max_joules=1e-6"), "-x").assert_outcomes(failed=1)


def test_a_broken_budget_is_run_again_by_last_failed(suite):
    """`--lf` takes the test up again, and only it."""
    suite.makepyfile(test_it=BUDGET.format(limit="max_joules=1e-6"))
    cached = ("-o", "addopts=-p no:hypothesispytest")
    suite.runpytest_inprocess(*cached).assert_outcomes(failed=1, passed=1)
    suite.runpytest_inprocess(*cached, "--lf").assert_outcomes(failed=1)


def test_two_cases_of_one_key_are_refused(lem):
    """Two tests under one name would be one line of history."""
    result = lem(
        """
        import pytest

        @pytest.mark.energy(name="shelf")
        def test_a():
            pass

        @pytest.mark.energy(name="shelf")
        def test_b(energy):
            pass
        """
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        "ERROR: test_it.py::test_b and test_it.py::test_a would both be stored as `shelf`; "
        "give one of them another name with @pytest.mark.energy(name=...)"
    )


def test_modules_of_one_name_in_two_folders_have_keys_of_their_own(suite):
    """With importlib mode equal file names are allowed, and the folder joins the key."""
    for folder in ("one", "two"):
        path = suite.mkdir(folder) / "test_same.py"
        path.write_text("import pytest\n@pytest.mark.energy\ndef test_x():\n    pass")
    result = suite.runpytest_inprocess("--import-mode=importlib")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*one.test_same::test_x: *", "*two.test_same::test_x: *"])


def test_a_name_keeps_the_key_when_the_test_is_renamed(lem, stored):
    """History belongs to the name, whatever the function is called."""
    digests = []
    for function in ("test_before", "test_after"):
        lem(f"import pytest\n@pytest.mark.energy(name='shelf')\ndef {function}():\n    pass")
        (record,) = stored().records
        assert record.case.key == "shelf"
        digests.append(record.case.digest)
    assert digests[0] == digests[1]


def test_a_name_is_completed_with_the_parameters(lem, stored):
    """A named test with parameters is still one case for each of them."""
    lem(
        """
        import pytest

        @pytest.mark.energy(name="shelf")
        @pytest.mark.parametrize("n", [1, 2])
        def test_x(n):
            pass
        """
    )
    assert [r.case.key for r in stored().records] == ["shelf[1]", "shelf[2]"]


def test_an_edit_of_the_source_keeps_key_and_digest(lem, stored):
    """The hash of the source is beside the case, so that a change can warn without a new key."""
    records = []
    for body in ("pass", "sum(range(3))"):
        lem(f"import pytest\n@pytest.mark.energy\ndef test_x():\n    {body}")
        records += stored().records
    first, second = records
    assert first.case.digest == second.case.digest
    assert first.source_sha256 != second.source_sha256
