"""Settings files and the values in force."""

from __future__ import annotations

import pytest

PLAIN = "def test_plain():\n    pass\n"
SOURCE = "def test_x(energy):\n    energy(list)\n"


@pytest.fixture
def bare(pytester, configure):
    """Return a suite in which nothing was configured."""
    configure("")
    pytester.makepyfile(test_it=SOURCE)
    return pytester


def test_collect_only_shows_every_value_with_its_origin(bare, monkeypatch):
    """A file can be checked without a run: each value, and the line or option it comes from."""
    path = bare.makefile(".yaml", f="preset: smoke\nmeasure:\n  rounds: 4\n")
    monkeypatch.setenv("LEM_PRECISION", "bf16")
    result = bare.runpytest_inprocess(
        "--collect-only", "-v", "--lem-config=f.yaml", "--lem-set=energy.watts_per_cpu=4.5"
    )
    assert result.ret == 0
    lines = [" ".join(line.split()) for line in result.stdout.lines]
    for expected in (
        f"preset 'smoke' ({path}:1)",
        f"measure.rounds 4 ({path}:3)",
        "measure.min_window_s 0.0 (preset smoke)",
        "energy.watts_per_cpu 4.5 (--lem-set energy.watts_per_cpu)",
        "precision 'bfloat16' (LEM_PRECISION)",
        "batch_size 1 (default)",
        "workload.ignore_eos True (default)",
    ):
        assert expected in lines


@pytest.mark.parametrize("arguments", [[], ["-q"], ["-q", "-v"]])
def test_values_are_shown_only_when_verbose(bare, arguments):
    """Without `-v` a collection stays as short as pytest's own."""
    result = bare.runpytest_inprocess("--collect-only", *arguments)
    result.stdout.no_fnmatch_line("*measure.rounds*")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("measure:\n  round: 3\n", "{path}:2: unknown key `measure.round`: did you mean `rounds`?"),
        ("batch_size: 0\n", "{path}:1: `batch_size`: input should be greater *, not 0"),
        ("a: [\n", "{path}:2: not valid YAML: *"),
        ("- a\n", "{path}:1: a configuration is a mapping of keys to values"),
        ("preset: fast\n", "{path}:1: there is no preset `fast`: known: *"),
        ("backends: {{nope: {{a: 1}}}}\n", "{path}:1: there is no backend `nope`: *"),
    ],
)
def test_a_bad_file_ends_even_a_run_without_energy_tests(bare, text, sentence):
    """What was given is checked at once: exit status 4, and the line that is wrong."""
    bare.makepyfile(test_it=PLAIN)
    path = bare.path / "f.yaml"
    path.write_text(text.format())
    result = bare.runpytest_inprocess("--collect-only", "--lem-config=f.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence.format(path=path)}"])
    assert "Traceback" not in result.stderr.str()


def test_a_missing_file_is_one_sentence(bare):
    """The path is shown as it was looked for."""
    result = bare.runpytest_inprocess("--lem-config=none.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        f"ERROR: cannot read the configuration {bare.path / 'none.yaml'}: No such file or directory"
    )


def test_a_file_on_the_command_line_is_relative_to_the_working_directory(bare, monkeypatch):
    """An ini entry is relative to the root instead, since that is where it was written."""
    folder = bare.mkdir("sub")
    (folder / "f.yaml").write_text("preset: smoke\nmeasure: {rounds: 7}\n")
    monkeypatch.chdir(folder)
    arguments = ("--collect-only", "-v", "--rootdir=..", "-c", "../tox.ini", "..")
    for how in (("--lem-config=f.yaml",), ("-o", "lem_config=sub/f.yaml")):
        result = bare.runpytest_inprocess(*arguments, *how)
        result.stdout.fnmatch_lines([f"*measure.rounds * 7 *({folder / 'f.yaml'}:2)"])


def test_options_stand_over_the_file(bare):
    """A value of the command line takes the place of the file's, and says so."""
    bare.makefile(".yaml", f="preset: smoke\nbatch_size: 3\n")
    result = bare.runpytest_inprocess(
        "--collect-only", "-v", "--lem-config=f.yaml", "--lem-batch-size=5", "--lem-preset=quick"
    )
    result.stdout.fnmatch_lines(["  batch_size * 5 *(--lem-batch-size)"])
    result.stdout.fnmatch_lines(["  preset * 'quick' *(--lem-preset)"])


def test_a_newer_file_is_read_with_a_note(bare):
    """A file of a later minor version may hold what this release does not know."""
    bare.makefile(".yaml", f="schema_version: '1.99'\n")
    result = bare.runpytest_inprocess("--collect-only", "--lem-config=f.yaml")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["lem: *1.99*"])
