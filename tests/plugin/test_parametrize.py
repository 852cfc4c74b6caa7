"""The command line over `parametrize`, and backends that are not there."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def collect(suite):
    """Return a function that collects a source and gives the names of its tests."""

    def collect(source, *arguments):
        suite.makepyfile(test_it=source)
        result = suite.runpytest_inprocess("--collect-only", "-q", *arguments)
        assert result.ret in {0, 5}, result.stderr.str()
        return [
            line.partition("::")[2] for line in result.outlines if line.startswith("test_it.py::")
        ]

    return collect


def refusal(suite, source, *arguments):
    """Run a source that has to be refused before anything runs, and return the sentence."""
    suite.makepyfile(test_it=source)
    result = suite.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    text = f"{result.stderr.str()}\n{result.stdout.str()}"
    return next(line for line in text.splitlines() if line.startswith("ERROR: "))


SINGLE = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 8])
def test_it(inference, batch_size):
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), ["test_it[1]", "test_it[8]"]),
        (("--lem-batch-size=2",), ["test_it[2]"]),
        (("--lem-batch-size= 4, 2 ,8",), ["test_it[4]", "test_it[2]", "test_it[8]"]),
    ],
    ids=["nothing", "one", "several"],
)
def test_given_values_replace_a_list(collect, arguments, names):
    """What the command line names is run, in its order, and nothing else."""
    assert collect(SINGLE, *arguments) == names


@pytest.mark.parametrize("way", ["environment", "ini"])
def test_values_may_come_from_elsewhere(collect, suite, monkeypatch, way):
    """The variable and the ini entry do what the option does."""
    if way == "environment":
        monkeypatch.setenv("LEM_BATCH_SIZE", "2,4")
    else:
        ini = suite.path / "tox.ini"
        ini.write_text(f"{ini.read_text().rstrip()}\nlem_batch_size = 2,4\n")
    assert collect(SINGLE) == ["test_it[2]", "test_it[4]"]


def test_values_reach_the_engine_with_their_type(lem, stored):
    """A batch size of the command line is a number, and the batch that runs has that size."""
    lem(SINGLE.replace("pass", "assert inference().requests == 2 * batch_size"),
        "--lem-batch-size=2,4")  # fmt: skip
    assert [r.applied["batch_size"] for r in stored().records] == [2, 4]
    assert [r.status for r in stored().records] == ["ok", "ok"]
    assert {r.settings_origin["batch_size"] for r in stored().records} == {
        "--lem-batch-size, parametrize"
    }
    assert {r.applied["max_batch_size"] for r in stored().records} == {4}


def test_one_column_of_several_is_replaced(collect):
    """With several names in one mark, the rest of each row is kept, once for each given value."""
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size, length", [(1, 10), (8, 10), (1, 20)])
        def test_it(inference, batch_size, length):
            pass
        """
    names = ["test_it[2-10]", "test_it[4-10]", "test_it[2-20]", "test_it[4-20]"]
    assert collect(source, "--lem-batch-size=2,4") == names
    listed = source.replace('"batch_size, length"', '("batch_size", "length")')
    assert collect(listed, "--lem-batch-size=2,4") == names


def test_two_columns_of_one_mark_are_replaced(collect):
    """Values for both columns make their product."""
    source = """
        import pytest

        @pytest.mark.parametrize(("precision", "batch_size"), [("float64", 1), ("float32", 8)])
        def test_it(inference, precision, batch_size):
            pass
        """
    names = collect(source, "--lem-batch-size=2,4", "--lem-precision=float32,float64")
    assert sorted(names) == [
        "test_it[float32-2]", "test_it[float32-4]", "test_it[float64-2]", "test_it[float64-4]"
    ]  # fmt: skip


MARKED = """
import pytest

@pytest.mark.parametrize(
    "batch_size",
    [1, pytest.param(8, id="eight", marks=pytest.mark.skip(reason="too large")), 16],
)
def test_it(inference, batch_size):
    pass
"""


def test_a_row_that_is_asked_for_keeps_its_id(collect):
    """`pytest.param` of a given value keeps its id; new values get a plain one."""
    assert collect(MARKED, "--lem-batch-size=8,2") == ["test_it[eight]", "test_it[2]"]


def test_a_row_that_is_asked_for_keeps_its_marks(lem):
    """`pytest.param` of a given value keeps its marks, which are not spread to others."""
    result = lem(MARKED, "--lem-batch-size=8,2", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines("*too large*")


@pytest.mark.parametrize(
    ("ids", "names"),
    [('["one", "eight"]', ["test_it[8]", "test_it[2]"]), ("str", ["test_it[8]", "test_it[2]"]),
     ("lambda v: f'b{v}'", ["test_it[b8]", "test_it[b2]"])],
    ids=["list", "type", "function"],
)  # fmt: skip
def test_ids_of_a_mark_suit_the_given_values(collect, ids, names):
    """A list of ids belonged to the old values and goes; a function names the new ones."""
    source = SINGLE.replace("[1, 8]", f"[1, 8], ids={ids}")
    assert collect(source, "--lem-batch-size=8,2") == names


def test_marks_of_class_and_module_are_replaced(collect):
    """It does not matter where the mark stands."""
    source = """
        import pytest

        pytestmark = pytest.mark.parametrize("precision", ["float64", "float32"])

        @pytest.mark.parametrize("batch_size", [1, 8])
        class TestIt:
            def test_it(self, inference, precision, batch_size):
                pass
        """
    names = collect(source, "--lem-batch-size=2", "--lem-precision=float32")
    assert [name.partition("::")[2] for name in names] in (
        ["test_it[2-float32]"], ["test_it[float32-2]"]
    )  # fmt: skip


def test_a_name_without_a_mark_is_parametrized(collect):
    """A test that asks for an axis gets the given values, or the configured one."""
    source = "def test_it(inference, batch_size, precision): pass"
    assert collect(source, "--lem-batch-size=2,4") == ["test_it[float64-2]", "test_it[float64-4]"]
    assert collect(source) == ["test_it[float64-1]"]


def test_a_fixture_of_that_name_is_respected(lem):
    """A user's own fixture `model` keeps its value unless the command line gives one."""
    source = """
        import pytest

        @pytest.fixture
        def batch_size():
            return 3

        def test_it(inference, batch_size):
            assert batch_size == inference(batch_size=batch_size).requests / 2 == %s
        """
    lem(source % 3).assert_outcomes(passed=1)
    lem(source % 5, "--lem-batch-size=5").assert_outcomes(passed=1)


def test_other_tests_are_left_alone(collect):
    """A test without the fixture `inference` keeps its parameters, whatever their names."""
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 8])
        def test_it(batch_size):
            pass
        """
    assert collect(source, "--lem-batch-size=2,4") == ["test_it[1]", "test_it[8]"]


def test_several_values_must_have_a_way_in(suite):
    """Several values for a test that does not take the name are refused; one is a setting."""
    sentence = refusal(suite, "def test_it(inference): pass", "--lem-batch-size=2,4")
    assert sentence == (
        "ERROR: test_it.py::test_it does not take `batch_size`, so several values of "
        "--lem-batch-size cannot reach it; add `batch_size` to its arguments, or give one value"
    )


@pytest.mark.parametrize("value", ["0", "x", "1.5", "-1", "1,0"])
def test_a_batch_size_is_a_whole_number(suite, value):
    """Anything else is refused with the option and the value."""
    wrong = value.rpartition(",")[2]
    assert refusal(suite, SINGLE, f"--lem-batch-size={value}") == (
        f"ERROR: --lem-batch-size: a batch size is a whole number from 1 up, not {wrong!r}"
    )


@pytest.mark.parametrize("value", ["", " , "])
def test_an_option_without_a_value_is_refused(suite, value):
    """An empty list does not run nothing in silence."""
    sentence = refusal(suite, SINGLE, f"--lem-batch-size={value}")
    assert "--lem-batch-size has no value; give one or several, comma-separated" in sentence


BACKENDS = """
import pytest

@pytest.mark.parametrize("backend", ["ngram", "absent"])
def test_it(inference, backend):
    assert inference().text
"""
SENTENCE = (
    "the backend `absent` needs an_engine_that_is_not_here; run: "
    "python -m pip install absent-engine"
)


def test_a_missing_backend_of_a_list_is_skipped(lem, stored):
    """The skip gives the install command, and the other backend of the list is measured."""
    result = lem(BACKENDS, "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(f"SKIPPED*{SENTENCE}")
    assert [record.case.settings.backend for record in stored().records] == ["ngram"]


def test_a_backend_is_chosen_from_a_list(collect):
    """`--lem-backend` narrows a list to those named."""
    assert collect(BACKENDS, "--lem-backend=ngram") == ["test_it[ngram]"]


def test_a_backend_is_added_to_a_list(collect):
    """What is named and missing in the list is added."""
    source = BACKENDS.replace('["ngram", "absent"]', '["absent"]')
    assert collect(source, "--lem-backend=ngram") == ["test_it[ngram]"]


PAIRS = """
import pytest

@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        ("ngram", "float64"),
        ("absent", "float32"),
        pytest.param("ngram", "float32", id="single", marks=pytest.mark.skip(reason="slow")),
    ],
)
def test_it(inference, backend, precision):
    assert inference().record.case.settings.precision == precision
"""


def test_rows_of_a_named_backend_are_selected(collect):
    """They are kept as they are, with their ids, and not multiplied by the other rows."""
    assert collect(PAIRS, "--lem-backend=ngram") == ["test_it[ngram-float64]", "test_it[single]"]


def test_rows_of_a_named_backend_keep_their_marks(lem):
    """A row that was to be skipped still is."""
    result = lem(PAIRS, "--lem-backend=ngram", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines("*slow*")


def test_a_list_of_ids_names_the_selected_rows(collect):
    """Each row keeps the id that stood at its place, and one of the row itself comes first."""
    source = PAIRS.replace("    ],", '    ], ids=["double", "never", "third"],')
    assert collect(source, "--lem-backend=ngram") == ["test_it[double]", "test_it[single]"]


def test_a_backend_that_no_row_has_fills_in(collect):
    """It runs with each distinct rest of the rows, as another axis would."""
    source = PAIRS.replace('"ngram"', '"transformers"')
    assert collect(source, "--lem-backend=ngram") == [
        "test_it[ngram-float64]", "test_it[ngram-float32]"
    ]  # fmt: skip


def test_a_precision_replaces_those_of_selected_rows(collect):
    """The backends are selected first, and their rows then have the named precisions."""
    assert collect(PAIRS, "--lem-backend=ngram", "--lem-precision=float32,int3") == [
        "test_it[single]", "test_it[ngram-int3]"
    ]  # fmt: skip


def test_one_mark_for_several_tests_suits_each_of_them(collect):
    """What is given changes the rows of those that measure a model, and of no others."""
    source = """
        import pytest

        pytestmark = pytest.mark.parametrize("batch_size", [1, 2, 3], ids=["a", "b", "c"])

        def test_it(inference, batch_size):
            pass

        def test_plain(batch_size):
            pass
        """
    names = [f"test_plain[{name}]" for name in "abc"]
    assert collect(source, "--lem-batch-size=8") == ["test_it[8]", *names]


def test_a_wrong_mark_is_left_to_pytest(suite):
    """Rows that do not fit the names are an error of the collection, which pytest explains."""
    suite.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.parametrize(("batch_size", "length"), [(1, 2), (3,)])
        def test_it(inference, batch_size, length):
            pass
        """
    )
    result = suite.runpytest_inprocess("--lem-batch-size=8")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "pytest_lem" not in result.stdout.str().partition("= ERRORS =")[2]


def test_a_name_in_a_list_of_one_is_replaced(collect):
    """With the names as a list, rows are tuples even if there is one name."""
    source = SINGLE.replace('"batch_size", [1, 8]', '["batch_size"], [(1,), (8,)]')
    assert collect(source, "--lem-batch-size=8,2") == ["test_it[8]", "test_it[2]"]


PRECISIONS = """
import pytest

@pytest.mark.parametrize("precision", ["float64", "bfloat16", "fp32"])
@pytest.mark.parametrize("backend", ["ngram"])
def test_it(inference, backend, precision):
    assert inference().text
"""
LACKING = "the backend `ngram` has no precision `bfloat16`; it can do float64, float32"


@pytest.mark.parametrize("arguments", [(), ("--lem-backend=ngram",)], ids=["listed", "selected"])
def test_a_precision_that_a_backend_lacks_is_skipped(lem, stored, arguments):
    """A pair that a list or a product makes is skipped with the sentence, the others run."""
    result = lem(PRECISIONS, "-rs", *arguments)
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(f"SKIPPED*{LACKING}")
    assert [r.case.settings.precision for r in stored().records] == ["float64", "float32"]


def test_a_named_precision_that_some_test_can_have_is_skipped_elsewhere(lem):
    """Of two named ones, the one that cannot be had fails, since else nobody would miss it."""
    result = lem(PRECISIONS, "--lem-precision=float32,bfloat16")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(LACKING)


def test_a_named_backend_that_has_no_precision_of_any_test_fails(lem):
    """Nothing that was asked for by name is skipped altogether."""
    source = PRECISIONS.replace('["float64", "bfloat16", "fp32"]', '["bfloat16"]')
    lem(source).assert_outcomes(skipped=1)
    lem(source, "--lem-backend=ngram").assert_outcomes(failed=1)


def test_a_precision_that_no_list_gives_is_left_to_the_test(lem):
    """A test may name another in its body, so the configured one says nothing yet."""
    source = """
        import pytest

        @pytest.mark.parametrize("backend", ["ngram"])
        def test_it(inference, backend):
            assert inference(precision="float32").text
        """
    lem(source, "--lem-set=precision=bfloat16").assert_outcomes(passed=1)


def test_packages_of_another_interpreter_are_not_looked_for(lem, suite):
    """With a Python of its own a backend may be named although its packages are not here."""
    python = "--lem-set=backends.absent.python=no/such/python"
    arguments = ("--lem-backend=absent", "--collect-only")
    assert lem(BACKENDS, *arguments).ret == pytest.ExitCode.USAGE_ERROR
    assert lem(BACKENDS, *arguments, python).ret == pytest.ExitCode.OK
    result = lem(BACKENDS, "--lem-backend=absent", python)
    result.assert_outcomes(failed=1)
    assert "no/such/python" in result.stdout.str()
    assert SENTENCE not in result.stdout.str()


@pytest.mark.parametrize("way", ["--lem-backend", "LEM_BACKEND"])
def test_a_missing_backend_that_was_named_is_an_error(suite, monkeypatch, way):
    """Whoever asked for it by name is told the command, and nothing is skipped in silence."""
    arguments = ["--lem-backend=ngram,absent"] if way.startswith("--") else []
    monkeypatch.setenv("LEM_BACKEND", "" if arguments else "ngram,absent")
    assert refusal(suite, BACKENDS, *arguments) == f"ERROR: {way}: {SENTENCE}"


def test_a_missing_backend_of_an_argument_fails_its_test(lem, stored):
    """Named in the body of a test it is a failure of that test, with the same sentence."""
    result = lem(
        """
        def test_absent(inference):
            inference(backend="absent")

        def test_there(inference):
            inference()
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(SENTENCE)
    assert [r.failure_kind for r in stored().records] == ["config", None]


def test_an_unknown_backend_is_refused_with_a_suggestion(suite):
    """A slip of the pen on the command line names what was meant."""
    sentence = refusal(suite, SINGLE, "--lem-backend=ngramm")
    assert sentence == "ERROR: there is no backend `ngramm`: did you mean `ngram`?"


def test_an_unknown_backend_of_a_list_fails_its_case(lem, stored):
    """A slip in a parametrize list is that case's failure, not a skip."""
    result = lem(BACKENDS.replace('"absent"', '"ngramm"'))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("there is no backend `ngramm`: did you mean `ngram`?")
    assert sorted(str(r.failure_kind) for r in stored().records) == ["None", "config"]


GRID = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_it(inference, precision, batch_size):
    assert inference(workload={"temperature": 1.0, "seed": 3}).text

def test_fails(inference):
    inference(precision="int3")
"""


def test_workers_find_what_a_serial_run_finds(lem, suite, stored, survivors):
    """With pytest-xdist the same cases, settings and texts are in one run file, in one journal."""

    def found():
        return sorted(
            (r.case.key, r.status, str(r.failure_kind), r.sample.text if r.sample else "")
            for r in stored().records
        )

    lem(GRID).assert_outcomes(passed=4, failed=1)
    serial = found()
    suite.path.joinpath("run.json").unlink()
    # In a process of its own: xdist freezes the import path of the outer run for its workers.
    result = suite.runpytest_subprocess("-n2", "--lem-json=run.json")
    result.assert_outcomes(passed=4, failed=1)
    assert found() == serial
    content = json.loads(suite.path.joinpath("run.json").read_text())
    assert {r["worker"] for r in content["records"]} <= {"gw0", "gw1"}
    assert {r["environment"] for r in content["records"]} == set(content["environments"])
    assert not any("contended" in r["flags"] for r in content["records"])
    journals = list(suite.path.glob(".lem/runs/*/journal.jsonl"))
    assert len(journals) == 2
    assert sorted(path.read_text().count('"type": "record"') for path in journals) == [5, 5]
    assert survivors() == []


def test_workers_refuse_as_a_serial_run_does(suite):
    """A mistake found at collection is one sentence under pytest-xdist too."""
    suite.makepyfile(test_it="def test_it(inference): pass")
    result = suite.runpytest_inprocess("-n2", "--lem-batch-size=2,4")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "does not take `batch_size`, so several values of" in result.stderr.str()
