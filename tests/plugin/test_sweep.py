"""Sweeps: a grid of settings over every test that measures a model."""

from __future__ import annotations

import pytest

# Imported here for the same reason as in `conftest.py`.
import pytest_lem.config.gridfile
import pytest_lem.plugin.sweep  # noqa: F401

pytestmark = pytest.mark.usefixtures("engine")

#: A backend of two options that exclude each other.
MOTOR = """
from dataclasses import dataclass
from ngram_backend import NgramBackend, NgramOptions

@dataclass(frozen=True, slots=True, kw_only=True)
class MotorOptions(NgramOptions):
    gears: int | None = None
    belt: bool = False

    def __post_init__(self):
        if self.belt and self.gears is not None:
            raise ValueError("a belt has no gears; leave one of them out")

class Motor(NgramBackend):
    name = "motor"
    Options = MotorOptions
"""

BARE = "def test_it(inference):\n    pass\n"
LISTED = """
import pytest

@pytest.mark.parametrize("precision", ["float64"])
@pytest.mark.parametrize("batch_size", [16, 32])
@pytest.mark.parametrize("backend", ["transformers"])
def test_it(inference, backend, batch_size, precision):
    pass
"""


@pytest.fixture
def sweep(suite):
    """Return a function that runs a source with a grid, `grid.yaml`, and more arguments."""

    def run(grid, source, *arguments, way="inprocess"):
        suite.path.joinpath("grid.yaml").write_text(grid)
        suite.makepyfile(test_it=source)
        start = getattr(suite, f"runpytest_{way}")
        return start("--lem-sweep=grid.yaml", "--lem-json=run.json", *arguments)

    return run


@pytest.fixture
def collect(sweep):
    """Return a function that gives the names of the tests, as a bare list shows them."""

    def collect(grid, source, *arguments):
        result = sweep(grid, source, "--collect-only", "-q", *arguments)
        assert result.ret == 0, result.outlines + result.errlines
        return [line.partition("::")[2] for line in result.outlines if "::" in line]

    return collect


@pytest.fixture
def plan(sweep, suite):
    """Return a function that gives what the plan says about the sweep, without the folder."""

    def plan(grid, source, *arguments):
        result = sweep(grid, source, "--collect-only", *arguments)
        assert result.ret == 0, result.outlines + result.errlines
        lines = [line for line in result.outlines if line.startswith("lem: ")][1:]
        return [line.replace(f"{suite.path}/", "") for line in lines]

    return plan


@pytest.fixture
def refusal(sweep, suite):
    """Return a function that gives the sentence with which a run is refused."""

    def refusal(grid, source, *arguments, way="inprocess"):
        result = sweep(grid, source, *arguments, way=way)
        assert result.ret == pytest.ExitCode.USAGE_ERROR, result.outlines
        assert "Traceback" not in "\n".join(result.outlines + result.errlines)
        sentences = [line for line in result.errlines if line.startswith("ERROR: ")]
        return sentences[0].replace(f"{suite.path}/", "").removeprefix("ERROR: ")

    return refusal


@pytest.fixture
def motor(suite):
    """Register the backend `motor`."""
    suite.makepyfile(motor_backend=MOTOR)
    metadata = suite.mkdir("motor-1.0.dist-info")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: motor\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[pytest_lem.backends]\nmotor = motor_backend:Motor\n"
    )
    suite.syspathinsert()


def test_every_combination_is_a_test(collect):
    """A test that measures a model runs with each, and others run as they are."""
    grid = "grid: {batch_size: [1, 2], measure.rounds: [1, 3]}"
    source = f"{BARE}\ndef test_call(energy):\n    pass\n\ndef test_plain():\n    pass\n"
    assert collect(grid, source) == [
        "test_it[1-rounds:1]", "test_it[1-rounds:3]", "test_it[2-rounds:1]", "test_it[2-rounds:3]",
        "test_call", "test_plain",
    ]  # fmt: skip


def test_values_reach_the_engine_with_their_line(sweep, stored):
    """What runs has the values of its combination, and the record says where they stand."""
    grid = """
    workload: {output_tokens: 4}
    grid:
      precision: [float32]
      batch_size: [1, 2]
      backends: {ngram: {order: [2, 3]}}
    """
    result = sweep(grid, "def test_it(inference):\n    assert inference().output_tokens % 4 == 0\n")
    result.assert_outcomes(passed=4)
    found = {
        (r.applied["batch_size"], r.requested["backends"]["ngram"]["order"]): r
        for r in stored().records
    }
    assert set(found) == {(1, 2), (1, 3), (2, 2), (2, 3)}
    assert all(set(r.applied["dtype"]) == {"float32"} for r in found.values())
    origins = found[1, 2].settings_origin
    names = ("workload.output_tokens", "precision", "batch_size", "backends.ngram.order")
    assert [origins[name].rpartition("/")[2] for name in names] == [
        f"grid.yaml:{line}" for line in (2, 4, 5, 6)
    ]


def test_arguments_get_the_values_of_the_combination_together(sweep, stored):
    """The test's own lists for these names are left out, and its arguments are what runs."""
    source = f"""{LISTED}
    assert inference().record.applied["batch_size"] == batch_size
    assert (backend, precision) == ("ngram", "float32")
"""
    grid = "grid: {backend: [ngram], precision: [float32], batch_size: [1, 2]}"
    sweep(grid, source).assert_outcomes(passed=2)
    assert {r.applied["batch_size"] for r in stored().records} == {1, 2}


def test_lists_for_other_names_are_kept(collect):
    """Each row of a list that the grid does not touch runs with each combination."""
    grid = "grid: {backend: [ngram], precision: [float64, float32]}"
    assert collect(grid, LISTED) == [
        "test_it[16-ngram-float64]", "test_it[32-ngram-float64]",
        "test_it[16-ngram-float32]", "test_it[32-ngram-float32]",
    ]  # fmt: skip


def test_a_list_of_several_names_keeps_its_other_columns(collect):
    """What is left of its rows without the swept column, each once, with the ids of the values."""
    source = """
        import pytest

        @pytest.mark.parametrize(
            ("batch_size", "length"),
            [(1, 10), pytest.param(8, 10, id="eight"), (1, 20)],
            ids=["a", "b", "c"],
        )
        def test_it(inference, batch_size, length):
            pass
        """
    assert collect("grid: {batch_size: [2, 4]}", source) == [
        "test_it[10-2]", "test_it[10-4]", "test_it[20-2]", "test_it[20-4]"
    ]  # fmt: skip


def test_a_list_that_goes_through_a_fixture_still_does(sweep):
    """With `indirect` the value of the combination goes to the user's fixture."""
    source = """
        import pytest

        @pytest.fixture
        def batch_size(request):
            return f"batch {request.param}"

        @pytest.mark.parametrize(("batch_size", "length"), [(1, 5)], indirect=["batch_size"])
        def test_it(inference, batch_size, length):
            assert batch_size == f"batch {inference().requests // 2}"
        """
    sweep("grid: {batch_size: [2, 4]}", source).assert_outcomes(passed=2)


def test_a_whole_workload_may_vary(sweep, stored):
    """Its mapping merges with what stands beside it, and reaches a test that takes it."""
    grid = """
    workload: {seed: 5}
    grid:
      workload: [{name: long, output_tokens: 6}, {name: short, output_tokens: 3}]
    """
    source = """
        def test_it(inference, workload):
            assert inference().record.requested["workload"]["name"] == workload["name"]
        """
    sweep(grid, source).assert_outcomes(passed=2)
    workloads = [r.requested["workload"] for r in stored().records]
    assert [(w["name"], w["output_tokens"], w["seed"]) for w in workloads] == [
        ("long", 6, 5), ("short", 3, 5)
    ]  # fmt: skip


def test_marker_and_arguments_stand_over_the_grid(sweep, stored):
    """What a test itself says is what runs."""
    source = """
        import pytest

        @pytest.mark.energy(rounds=2)
        def test_it(inference):
            inference(batch_size=3)
        """
    sweep("grid: {measure.rounds: [5], batch_size: [1]}", source).assert_outcomes(passed=1)
    (record,) = stored().records
    assert (len(record.rounds), record.applied["batch_size"]) == (2, 3)
    origins = [record.settings_origin[name] for name in ("measure.rounds", "batch_size")]
    assert origins == ["marker", "argument"]


def test_what_cannot_run_is_dropped_with_the_reason(plan, motor):
    """Missing packages and precisions, wrong values and exclusions: a line for each."""
    grid = """grid:
      backend: [ngram, absent, motor]
      precision: [float32, bfloat16]
      backends:
        ngram: {order: [2, 9]}
        motor: {gears: [null, 3], belt: [true]}
    """
    no_packages = (
        "the backend `absent` needs an_engine_that_is_not_here; run: "
        "python -m pip install absent-engine"
    )
    order = "grid.yaml:5: `backends.ngram.order`: input should be less than or equal to 8, not 9"
    gears = "grid.yaml:6: `backends.motor`: a belt has no gears; leave one of them out"
    precision = "has no precision `bfloat16`; it can do float64, float32"
    assert plan(grid, BARE) == [
        "lem: sweep grid.yaml: 10 combinations, 8 dropped",
        f"lem: dropped ngram-float32-order:9: {order}",
        f"lem: dropped ngram-bfloat16-order:2: the backend `ngram` {precision}",
        f"lem: dropped ngram-bfloat16-order:9: {order}",
        f"lem: dropped absent-float32: {no_packages}",
        f"lem: dropped absent-bfloat16: {no_packages}",
        f"lem: dropped motor-float32-gears:3-belt:true: {gears}",
        f"lem: dropped motor-bfloat16-gears:null-belt:true: the backend `motor` {precision}",
        f"lem: dropped motor-bfloat16-gears:3-belt:true: {gears}",
    ]


def test_what_means_the_same_runs_once(plan, collect):
    """The first of them runs, and the plan names the other."""
    grid = "grid: {precision: [fp32, float32], backends.ngram.order: [3, 4]}"
    source = "def test_it(inference, precision):\n    pass\n"
    assert plan(grid, source) == [
        "lem: sweep grid.yaml: 4 combinations, 0 dropped, 2 repeated",
        "lem: float32-order:3 is the same as fp32-order:3",
        "lem: float32-order:4 is the same as fp32-order:4",
    ]
    assert collect(grid, source) == ["test_it[fp32-order:3]", "test_it[fp32-order:4]"]


def test_options_of_another_backend_make_no_difference(plan, motor):
    """Two combinations that differ only in options that nobody reads are one."""
    grid = "backend: ngram\ngrid: {workload.seed: [1], backends.motor.belt: [true, false]}"
    source = LISTED.replace("transformers", "motor")
    assert plan(grid, source) == ["lem: sweep grid.yaml: 2 combinations, 0 dropped"]
    both = f"{source}\ndef test_other(inference):\n    pass\n"
    assert plan(grid, both) == [
        "lem: sweep grid.yaml for tests with motor, float64: 2 combinations, 0 dropped",
        "lem: sweep grid.yaml: 1 combinations, 0 dropped",
    ]


def test_the_backends_of_a_test_decide_what_is_dropped(plan, collect):
    """What one of its own backends can do stays, and is skipped for the other."""
    source = """
        import pytest

        @pytest.mark.parametrize("backend", ["ngram", "transformers"])
        def test_it(inference, backend):
            pass
        """
    grid = "grid: {precision: [float64, bfloat16, int3]}"
    assert plan(grid, source)[0] == "lem: sweep grid.yaml: 3 combinations, 2 dropped"
    narrowed = "grid: {precision: [float64, float32]}"
    assert collect(narrowed, source, "--lem-backend=ngram") == [
        "test_it[ngram-float64]", "test_it[ngram-float32]"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("grid", "source", "sentence"),
    [
        ("grid: {batch_size: [0, -1]}", BARE,
         ("grid.yaml: no combination can run; the first, 0: grid.yaml:1: `batch_size`: "
         "input should be greater than or equal to 1, not 0")),
        ("grid: {precision: [int3]}", BARE,
         ("grid.yaml: no combination can run; the first, int3: the backend `ngram` has "
         "no precision `int3`; it can do float64, float32")),
        ("grid:\n  backends.absent.order: [1, 2]", BARE,
         ("grid.yaml:2: `backends.absent.order` varies nothing, since no test has the backend "
         "`absent`; name it in `grid.backend`")),
        ("grid: {backends.ngram.order: [1, 2]}",
         LISTED.replace('["transformers"]', '["ngram", "absent"]'),
         ("grid.yaml:1: `backends.ngram.order` varies with one backend, and a test lists ngram, "
         "absent; name the backends in `grid.backend`, which takes the place of such lists")),
    ],
    ids=["values", "precision", "idle options", "several backends"],
)  # fmt: skip
def test_a_grid_of_which_nothing_is_left_is_refused(refusal, grid, source, sentence):
    """Nothing is skipped altogether in silence."""
    assert refusal(grid, source) == sentence


def test_workers_refuse_what_a_serial_run_refuses(refusal, survivors):
    """With pytest-xdist it is the same sentence."""
    grid = "grid: {precision: [int3]}"
    sentence = refusal(grid, BARE)
    assert sentence.startswith("grid.yaml: no combination can run; the first, int3:")
    assert refusal(grid, BARE, "-n2", way="subprocess") == sentence
    assert survivors() == []


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ("grid:\n  batch_sise: [1]",
         "grid.yaml:2: unknown key `batch_sise`: did you mean `batch_size`?"),
        ("grid:\n  batch_size: [1]\nmeasure: {round: 1}",
         "grid.yaml:3: unknown key `measure.round`: did you mean `rounds`?"),
        ("grid:\n  backend: [ngramm]",
         "grid.yaml:2: there is no backend `ngramm`: did you mean `ngram`?"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_before_anything_is_collected(refusal, grid, sentence):
    """It is a usage error with file and line, whatever the tests are."""
    assert refusal(grid, "raise RuntimeError('collected')") == sentence


@pytest.mark.parametrize(
    ("way", "origin"),
    [
        ("--lem-batch-size=2", "--lem-batch-size"),
        ("--lem-batch-size=2,4", "--lem-batch-size"),
        ("--lem-set=batch_size=2", "--lem-set batch_size"),
        ("LEM_BATCH_SIZE=2", "LEM_BATCH_SIZE"),
        ("lem_batch_size=2", "lem_batch_size"),
    ],
)
def test_a_value_for_what_varies_is_refused(refusal, suite, monkeypatch, way, origin):
    """It would win over the file and leave nothing to vary, so a person has to choose."""
    name, _, value = way.partition("=")
    if name.isupper():
        monkeypatch.setenv(name, value)
    arguments = [way] if way.startswith("--") else ["-o", way] if name.islower() else []
    assert refusal("grid: {batch_size: [1, 8]}", BARE, *arguments) == (
        f"{origin} and grid.yaml:1 both say what `batch_size` is; take one out"
    )


def test_values_for_other_names_go_together_with_a_grid(collect):
    """The command line still gives what does not vary, one value or several."""
    source = "def test_it(inference, precision):\n    pass\n"
    arguments = ("--lem-precision=float64,float32", "--lem-set=workload.seed=3")
    assert collect("grid: {batch_size: [1], workload.requests: [2]}", source, *arguments) == [
        "test_it[float64-1-requests:2]", "test_it[float32-1-requests:2]"
    ]  # fmt: skip


def test_the_file_stands_over_the_configuration(sweep, stored):
    """Presets and `--lem-config` lie below it, the command line above what does not vary."""
    grid = "precision: float32\nworkload: {seed: 5}\ngrid: {batch_size: [2]}\n"
    sweep(grid, LISTED.partition("@")[0] + "def test_it(inference):\n    inference()\n",
          "--lem-set=workload.seed=6").assert_outcomes(passed=1)  # fmt: skip
    (record,) = stored().records
    assert record.requested["precision"] == "float32"
    assert record.requested["workload"]["seed"] == 6
    assert record.settings_origin["precision"].endswith("grid.yaml:1")


def test_a_grid_in_the_configuration_says_where_it_belongs(suite):
    """It is no setting, and the sentence names the option that takes it."""
    suite.path.joinpath("grid.yaml").write_text("\ngrid: {batch_size: [1]}\n")
    suite.makepyfile(test_it=BARE)
    result = suite.runpytest_inprocess("--lem-config=grid.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        f"ERROR: {suite.path}/grid.yaml:2: a `grid` makes a sweep; give this file to --lem-sweep"
    )


def test_loads_stay_together_whatever_varies(collect):
    """Tests of one set of options follow each other, so that a model is loaded once for them."""
    grid = "grid: {batch_size: [1, 2], backends.ngram.order: [2, 3]}"
    names = collect(grid, f"{BARE}\ndef test_other(inference):\n    pass\n")
    orders = [name.rpartition(":")[2] for name in names]
    assert orders == ["2]"] * 4 + ["3]"] * 4


def test_one_load_serves_all_batches(sweep, stored):
    """It is made for the largest batch of the grid, and serves the smaller ones too."""
    source = "def test_it(inference):\n    inference()\n"
    sweep("grid: {batch_size: [1, 4, 2]}", source).assert_outcomes(passed=3)
    assert [r.applied["max_batch_size"] for r in stored().records] == [4, 4, 4]


def test_combinations_are_chosen_by_their_words(collect):
    """`-k` takes the words of an id, and a whole id is found by its name."""
    grid = "grid: {precision: [float64, float32], workload.seed: [1, 2]}"
    assert collect(grid, BARE, "-k", "float32 and seed:2") == ["test_it[float32-seed:2]"]
    name = "test_it.py::test_it[float64-seed:1]"
    assert collect(grid, BARE, name) == ["test_it[float64-seed:1]"]


def test_without_measuring_each_combination_runs_once(sweep, stored):
    """`--lem=off` gives the result of each, and keeps no record."""
    source = "def test_it(inference, batch_size):\n    assert inference().requests == batch_size\n"
    result = sweep("grid: {batch_size: [1, 2]}", source, "--lem=off")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["lem: off*", "lem: sweep grid.yaml: 2 combinations, 0 dropped"])
    assert stored().records == []


def test_a_fixture_around_ours_is_swept(sweep, stored):
    """A user's `inference` that hands on ours runs with every combination, another does not."""
    source = """
        import pytest

        class TestOurs:
            @pytest.fixture
            def inference(self, inference):
                return lambda: inference(workload={"output_tokens": 2})

            def test_it(self, inference):
                assert inference().output_tokens == 4

        class TestStranger:
            @pytest.fixture
            def inference(self):
                return "of another kind"

            @pytest.mark.parametrize("batch_size", [7])
            def test_it(self, inference, batch_size):
                assert (inference, batch_size) == ("of another kind", 7)
        """
    sweep("grid: {batch_size: [1], workload.seed: [1, 2]}", source).assert_outcomes(passed=3)
    assert [r.requested["workload"]["seed"] for r in stored().records] == [1, 2]


def test_a_grid_that_no_test_uses_is_named(plan):
    """Whoever gave it is told that nothing varies."""
    assert plan("grid: {batch_size: [1, 2]}", "def test_call(energy):\n    pass\n") == [
        "lem: sweep grid.yaml: no test uses the fixture `inference`, so nothing varies"
    ]


def test_packages_of_another_interpreter_are_not_looked_for(plan, collect):
    """A backend with a Python of its own has its packages there."""
    python = "backends: {absent: {python: /opt/other/bin/python}}"
    grid = f"grid: {{backend: [ngram, absent]}}\n{python}\n"
    assert plan(grid, BARE) == ["lem: sweep grid.yaml: 2 combinations, 0 dropped"]
    assert plan(grid.replace(python, ""), BARE)[0].endswith("2 combinations, 1 dropped")
    varied = "grid:\n  backend: [absent]\n  backends.absent.python: [null, /opt/other/bin/python]\n"
    assert collect(varied, BARE) == ["test_it[absent-python:/opt/other/bin/python]"]


def test_a_failure_before_the_plan_keeps_its_combination(sweep, stored):
    """A case that cannot be planned says what was asked of it, so that two are told apart."""
    source = "def test_it(inference):\n    inference(precision='int3')\n"
    sweep("grid: {backends.ngram.order: [2, 3]}", source).assert_outcomes(failed=2)
    assert len({r.case.digest for r in stored().records}) == 2


def test_workers_find_the_same_tests(sweep, collect, suite, stored, survivors):
    """Each of them makes the same combinations, in one order, and all records come together."""
    grid = "grid: {precision: [float64, float32, int3], batch_size: [1, 2]}"
    source = "def test_it(inference, batch_size):\n    inference()\n"
    expected = collect(grid, source)
    suite.makeconftest(
        """
        from pathlib import Path

        def pytest_collection_finish(session):
            name = getattr(session.config, "workerinput", {}).get("workerid")
            if name:
                Path(name).write_text("\\n".join(item.name for item in session.items))
        """
    )
    result = sweep(grid, source, "-n2", way="subprocess")
    result.assert_outcomes(passed=4)
    for name in ("gw0", "gw1"):
        assert (suite.path / name).read_text().splitlines() == expected
    assert len({r.case.key for r in stored().records}) == 4
    result.stdout.fnmatch_lines(["lem: sweep grid.yaml: 6 combinations, 2 dropped"])
    assert survivors() == []


def test_without_the_option_nothing_of_it_is_imported(suite):
    """A suite that varies nothing does not pay for grids."""
    suite.makepyfile(test_it=BARE)
    suite.makeconftest(
        """
        import sys

        def pytest_unconfigure(config):
            found = [name for name in sys.modules if "grid" in name or "sweep" in name]
            print("FOUND", *(name for name in found if name.startswith("pytest_lem")))
        """
    )
    result = suite.runpytest_subprocess("-s", "--collect-only", "-q", "--lem-batch-size=1,2")
    assert "FOUND" in result.outlines
