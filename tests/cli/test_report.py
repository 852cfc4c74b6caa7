"""`lem report`: the figures of a run, and what they are against a baseline."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.results.journal import Journal
from pytest_lem.results.runfile import read_run

SUITE = """
def work():
    return sorted(range(20_000), key=lambda x: -x)

def test_sort(energy):
    energy(work)
"""
#: Of a short run; Hypothesis and a process that samples would take longer than all the rest.
OPTIONS = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--lem-preset=smoke",
           "--lem-meter=estimated", "--lem-set=energy.sample_s=0"]  # fmt: skip
#: A promise that eight sessions can keep.
PROMISE = ["--promise", "20"]
GATE = ["--fail-on", "call_duration_s:2"]


@pytest.fixture
def rows(said):
    """Return a function that gives the rows of a JSON report."""

    def read(*arguments):
        status, out, err = said("report", *arguments, "--format", "json")
        assert (status, err) == (0, [])
        return json.loads("\n".join(out))["rows"]

    return read


@pytest.fixture
def history(keep, measured):
    """Save eight sessions under `main` that differ by less than a per cent."""
    for number in range(8):
        seconds = 2.0 + 0.01 * (number % 2)
        keep(number, measured("a", seconds=seconds), measured("b"), save="main")


def test_a_run_is_found_by_all_its_names(keep, measured, rows):
    """By its id, the beginning of one, `latest`, and the paths of its folder and files."""
    keep(1, measured("other"))
    directory = keep(2, *(measured(cycle=n, joules=8.0 + n) for n in (1, 2, 3)))
    journal = Journal(Path("copy", "journal.jsonl"))
    content = read_run(directory / "run.json").model_dump(mode="json")
    journal.append("format", {name: content[name] for name in ("schema_version",)})
    journal.append("run", content["run"])
    for record in content["records"]:
        journal.append("record", record)
    expected = rows("latest")
    assert expected[0]["figures"]["energy_per_call_j"]["value"] == 2.5
    relative = directory.relative_to(Path.cwd())
    names = [directory.name, "20260101T000002", str(relative), str(directory), "copy"]
    names += [str(relative / name) for name in ("run.json", "session.jsonl")]
    for name in [*names, "copy/journal.jsonl"]:
        assert rows(name) == expected, name


def test_another_store_can_be_named(keep, measured, rows):
    """Wherever it is."""
    keep(1, measured())
    shutil.move(".lem", "elsewhere")
    assert len(rows("latest", "--store", "elsewhere")) == 1


def test_a_run_goes_before_a_path_of_the_same_name(keep, measured, said):
    """With a slash it is the path."""
    for name in ("latest", keep(1, measured()).name):
        Path(name).mkdir()
        assert said("report", name)[0] == 0
        assert said("report", f"./{name}") == (2, [], [f"there are no sessions in {name}"])


def test_what_is_not_there_is_a_sentence(keep, measured, said):
    """With what is near, or where to look."""
    assert said("report", "latest") == (2, [], ["the store .lem has no run"])
    directory = keep(1, measured(), save="main")
    keep(2, measured(), save="main")
    for name, sentence in {
        "20260101": "begins the names of 2 of them (20260101T000001-000001, ",
        f"{directory.name}0": f"there is no `{directory.name}0`; did you mean `{directory.name}`?",
        "zzz": "there is no `zzz`; `lem ls runs` lists what there is",
        "gone.json": "cannot read the run file gone.json: No such file or directory",
        ".lem/baselines/main": ".lem/baselines/main is a folder of 2 sessions; name one of them",
    }.items():
        status, out, (line,) = said("report", name)
        assert (status, out) == (2, [])
        assert sentence in line


def test_what_cannot_be_believed_is_a_sentence(keep, measured, said):
    """A damaged file, a session that was edited, a run without a case."""
    directory = keep(1, measured())
    empty = keep(2)
    text = (directory / "run.json").read_text()
    Path("half.json").write_text(text[: len(text) // 2])
    session = directory / "session.jsonl"
    session.write_text(session.read_text().replace('"run"', '"ran"'))
    for name, sentence in {
        "half.json": "cannot read the run file half.json: it is damaged or no run file",
        directory.name: "it was cut short, damaged or edited since it was written",
        empty.name: f"the run {empty.name} has no case, so there is nothing to report",
    }.items():
        status, out, (line,) = said("report", name)
        assert (status, out) == (2, [])
        assert sentence in line


def test_groups_are_made_by_fields(keep, measured, rows):
    """Comma-separated and dotted."""
    keep(
        1,
        *(
            measured(f"{unit}{x}", settings={"unit": unit, "options": {"x": x}}, joules=8.0 * x)
            for unit in ("row", "page")
            for x in (1, 4)
        ),
    )
    found = rows("latest", "--group-by", "unit")
    assert [row["group"] for row in found] == [{"unit": "page"}, {"unit": "row"}]
    assert [row["figures"]["energy_per_call_j"]["value"] for row in found] == pytest.approx([4, 4])
    found = rows("latest", "--group-by", "options.x, kind")
    assert [row["group"] for row in found] == [
        {"options.x": 1, "kind": "call"},
        {"options.x": 4, "kind": "call"},
    ]


def test_an_unknown_field_is_a_sentence(keep, measured, said):
    """It names one that is near."""
    keep(1, measured(settings={"options": {"threads": 2}}))
    status, out, (line,) = said("report", "latest", "--group-by", "kind,options.thread")
    assert (status, out) == (2, [])
    assert line == (
        "--group-by: no case of the run has a field 'options.thread'; "
        "did you mean `options.threads`?"
    )


def test_a_run_like_its_history_passes(history, keep, measured, said):
    """With the table of figures, then that of the verdicts."""
    keep(9, measured("a"), measured("b"))
    status, out, err = said("report", "latest", "--baseline", "main", *GATE, *PROMISE)
    assert (status, err) == (0, [])
    start = out.index("gate: baseline main (8 sessions), call_duration_s:2")
    assert out[start + 1].startswith("2 figures of 2 cases against main: 2 pass")
    assert [line.split()[:3] for line in out[start + 3 : start + 5]] == [
        ["PASS", "a", "s/call"],
        ["PASS", "b", "s/call"],
    ]
    assert any(line.startswith("a ") and "500 ms" in line for line in out[:start])


@pytest.mark.parametrize("form", ["table", "json", "csv", "md"])
def test_a_regression_is_status_1_in_every_format(history, keep, measured, said, form):
    """A job fails by it, however it is shown."""
    keep(9, measured("a", seconds=4.0), measured("b"))
    status, out, err = said("report", "latest", "--baseline", "main", *GATE, "--format", form)
    assert (status, err) == (1, [])
    assert "regressed" in "\n".join(out).lower()


def test_the_defaults_are_gated_where_no_rule_is_named(history, keep, measured, said):
    """Energy and duration of a call."""
    keep(9, measured("a", joules=16.0), measured("b"))
    arguments = ["--baseline", "main", *PROMISE, "--format", "json"]
    status, out, _ = said("report", "latest", *arguments)
    found = json.loads("\n".join(out))
    assert status == 1
    assert found["gate"]["rules"] == ["defaults"]
    assert [(c["case"], c["metric"], c["verdict"]) for c in found["comparisons"]] == [
        ("a", "energy_per_call_j", "regressed"),
        ("a", "call_duration_s", "pass"),
        ("b", "energy_per_call_j", "pass"),
        ("b", "call_duration_s", "pass"),
    ]


def test_a_session_is_not_its_own_past(history, keep, measured, said):
    """A run that was saved is compared with the others, and with nothing if there is none."""
    directory = keep(9, measured("a"), measured("b"), save="main")
    _, out, _ = said("report", "latest", "--baseline", "main", *GATE)
    assert any(line.startswith("gate: baseline main (8 sessions)") for line in out)
    path = str(directory / "run.json")
    status, out, (line,) = said("report", "latest", "--baseline", path, *GATE)
    assert (status, out) == (2, [])
    assert line.endswith(f"is nothing but the run {directory.name} itself; name another")


def test_the_path_of_a_run_is_a_baseline(keep, measured, said):
    """Relative to where the command is typed."""
    keep(1, measured())
    keep(2, measured(seconds=8.0))
    path = ".lem/runs/20260101T000001-000001"
    status, out, _ = said("report", "latest", "--baseline", path, *GATE)
    assert status == 1
    assert any(line.startswith(f"gate: baseline {path} (1 session)") for line in out)


def test_a_case_without_a_history_fails(history, keep, measured, said):
    """And one that only the history has is named in every format, but not judged."""
    keep(9, measured("a"), measured("new"))
    for form in ("table", "json", "csv", "md"):
        status, out, err = said("report", "latest", "--baseline", "main", *GATE, "--format", form)
        text = "\n".join([*out, *err])
        assert status == 1
        assert "missing" in text.lower()
        assert "in main, but not in this run, and not judged" in text
    keep(10, measured("a"))
    assert said("report", "latest", "--baseline", "main", *GATE)[0] == 0


def test_what_is_under_test_may_differ(keep, measured, said):
    """Otherwise the comparison is refused, with what differs."""
    for number in range(4):
        keep(number, measured(version="1"), save="main")
    keep(9, measured(version="2"))
    status, out, _ = said("report", "latest", "--baseline", "main", *GATE)
    assert status == 1
    assert "differs: backend.version: 1 -> 2" in out
    tested = ["--under-test", "backend.version"]
    status, out, _ = said("report", "latest", "--baseline", "main", *GATE, *tested)
    assert status == 0
    assert "under test: backend.version: 1 -> 2" in out


def test_a_promise_decides_between_pass_and_provisional(keep, measured, said):
    """What the gate could not find is not passed."""
    keep(1, measured(), save="main")
    keep(2, measured())
    verdicts = {}
    for promise in ("11", "200"):
        arguments = ["--baseline", "main", *GATE, "--promise", promise]
        _, out, _ = said("report", "latest", *arguments, "--format", "csv")
        (row,) = csv.DictReader(out)
        verdicts[promise] = row["verdict"]
    assert verdicts == {"11": "provisional", "200": "pass"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--baseline", "mian"], "has no history `mian`; did you mean `main`?"),
        (["--baseline", "gone.jsonl"], "cannot read the run file gone.jsonl: No such file"),
        (["--fail-on", "call_duration"], "--fail-on: there is no metric 'call_duration'"),
        (["--fail-on", "ttft_s:5"], "the rule ttft_s:5 applies to no case of the run"),
        (["--under-test", "backend.vers"], "--under-test: no field 'backend.vers'"),
        (["--promise", "1"], "--promise 1: no gate can undertake to find less than twice"),
        (["--promise", "nan"], "--promise nan: a promise is a change in per cent, above 0"),
    ],
)
def test_a_mistake_about_the_gate_is_a_sentence(history, said, arguments, sentence):
    """Nothing is shown, so that nothing passes by mistake."""
    if "--baseline" not in arguments:
        arguments = ["--baseline", "main", *arguments]
    status, out, (line,) = said("report", "latest", *arguments)
    assert (status, out) == (2, [])
    assert sentence in line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: RUN"),
        (["latest", "--group-by", ","], "argument --group-by: ',' names no field"),
        (["latest", "--fail-on", "ttft_s"], "say how to compare with --baseline"),
        (["latest", "--promise", "10"], "say how to compare with --baseline"),
        (["latest", "--under-test", "model"], "say how to compare with --baseline"),
        (["latest", "--baseline", "x", "--promise", "ten"], "invalid float value: 'ten'"),
    ],
)
def test_a_mistake_in_the_usage_is_status_2(arguments, sentence, capsys):
    """With the usage, and without a traceback."""
    with pytest.raises(SystemExit) as left:
        main(["report", *arguments])
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err.splitlines()[-1]


def test_the_help_says_what_a_status_and_a_percentage_mean(capsys):
    """A user of a CI looks for it there, and it fits a terminal."""
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    text = capsys.readouterr().out
    assert "  1  a verdict fails: regressed, inconclusive, invalid, incomparable, missing" in text
    assert "PCT is how much worse than the baseline is allowed" in text
    assert max(map(len, text.splitlines())) <= 80


def test_it_compares_as_the_plugin_does(run, lem, tmp_path):
    """A real run that was gated, and the same comparison after the fact."""
    work = tmp_path / "work"
    (work / "test_it.py").write_text(SUITE)
    gate = "call_duration_s:1000"
    assert run("pytest", *OPTIONS, "--lem-save=main", f"--lem-fail-on={gate}").returncode == 0
    options = ["--lem-baseline=main", f"--lem-fail-on={gate}", "--lem-json=run.json"]
    done = run("pytest", *OPTIONS, *options)
    assert done.returncode == 0, done.stdout
    (inside,) = read_run(work / "run.json").comparisons
    done = lem("report", "latest", "--baseline=main", f"--fail-on={gate}", "--format=json")
    assert (done.returncode, done.stderr) == (0, "")
    (after,) = json.loads(done.stdout)["comparisons"]
    same = ("case", "digest", "metric", "value", "ratio", "interval", "p", "theta", "verdict")
    assert {name: after[name] for name in same} == {name: getattr(inside, name) for name in same}
    assert after["alpha"] == pytest.approx(inside.alpha**2)
