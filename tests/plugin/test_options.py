"""Options, variables and ini entries."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_lem.plugin.options import OPTIONS, Option, given

SOURCE = "def test_x(energy):\n    energy(list)\n"


def _words(option: Option) -> tuple[str, str, str]:
    """Return three texts that the option may be given."""
    if option.is_switch:
        return "yes", "off", "true"
    if option.choices:
        return option.choices[0], option.choices[1], option.choices[2]
    return ("a=1", "b=2", "c=3") if option.is_repeatable else ("one", "two", "three")


def _value(option: Option, text: str) -> Any:
    """Return what such a text means."""
    if option.is_switch:
        return text != "off"
    return [text] if option.is_repeatable else text


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_flag_before_variable_before_ini(pytester, configure, monkeypatch, option):
    """Every option can be given in three ways, and each knows which one won."""

    def found(*arguments):
        return given(pytester.parseconfig(*arguments), option.name)

    flag, variable, entry = _words(option)
    first, second, third = (_value(option, text) for text in (flag, variable, entry))
    argument = option.flag if option.is_switch else f"{option.flag}={flag}"
    configure("")
    assert found() is None
    configure(f"{option.ini} = {entry}\n")
    assert found() == (third, option.ini)
    monkeypatch.setenv(option.variable, variable)
    assert found() == (second, option.variable)
    assert found(argument) == (first, option.flag)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_names_of_an_option_follow_one_rule(suite, option):
    """Who knows the flag knows the variable and the ini entry; the help shows both forms."""
    suffix = "" if option.name == "mode" else "-" + option.name.replace("_", "-")
    assert option.flag == f"--lem{suffix}"
    assert option.variable == f"LEM_{option.name.upper()}"
    result = suite.runpytest_inprocess("--help")
    assert f"{option.flag}" in result.stdout.str()
    assert f"{option.ini} (" in result.stdout.str()


@pytest.mark.parametrize(("text", "is_on"), [("true", True), ("1", True), ("false", False)])
def test_a_switch_in_the_ini_file_means_what_it_says(lem, configure, stored, text, is_on):
    """`lem_smoke = false` is off, and an option that was not given does not hide the entry."""
    configure(f"lem_smoke = {text}\nlem_preset = quick\nlem_set = measure.min_window_s=0\n")
    lem("import pytest\n@pytest.mark.energy\ndef test_x():\n    pass").assert_outcomes(passed=1)
    assert stored().run.preset == ("smoke" if is_on else "quick")


def test_a_variable_can_take_a_switch_back(lem, configure, stored, monkeypatch):
    """The environment stands over the ini file also for what it switches off."""
    configure("lem_smoke = true\n")
    monkeypatch.setenv("LEM_SMOKE", "0")
    lem("import pytest\n@pytest.mark.energy\ndef test_x():\n    pass").assert_outcomes(passed=1)
    assert stored().run.preset != "smoke"


def test_settings_of_ini_variable_and_flag_add_up(lem, configure, stored, monkeypatch):
    """`set` is one mapping: each place adds to it, and the higher one wins for one path."""
    configure("lem_preset = smoke\nlem_set =\n  measure.rounds=5\n  precision=float16\n")
    monkeypatch.setenv("LEM_BATCH_SIZE", "3")
    lem(SOURCE, "--lem-set=measure.rounds=1").assert_outcomes(passed=1)
    (record,) = stored().records
    origins = {name: record.settings_origin[name] for name in ("batch_size", "measure.rounds")}
    assert len(record.rounds) == record.requested["measure"]["rounds"] == 1
    assert origins == {"batch_size": "LEM_BATCH_SIZE", "measure.rounds": "--lem-set measure.rounds"}


def test_only_leaves_other_tests_out(lem):
    """`--lem=only` runs what asks for energy and counts the rest as deselected."""
    result = lem(SOURCE + "def test_plain():\n    assert False\n", "--lem=only")
    result.assert_outcomes(passed=1, deselected=1)


def test_only_without_energy_tests_runs_nothing(lem):
    """Nothing asked for energy, so pytest says that no test ran."""
    result = lem("def test_plain():\n    pass\n", "--lem=only")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.assert_outcomes(deselected=1)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("lem_mode=onn", "lem_mode: the mode is one of on, off, only, not 'onn'"),
        ("LEM_MODE=x", "LEM_MODE: the mode is one of on, off, only, not 'x'"),
        ("lem_preset=smke", "lem_preset: there is no preset `smke`: did you mean `smoke`?"),
        ("lem_batch_size=1,x", "lem_batch_size: a batch size is a whole number from 1 up, not 'x'"),
        ("LEM_BATCH_SIZE=,", "LEM_BATCH_SIZE has no value; give one or several, comma-separated"),
        ("LEM_SET=a", "LEM_SET: write a setting as path=value, not 'a'"),
    ],
)
def test_a_mistake_outside_the_command_line_names_its_place(
    lem, configure, monkeypatch, place, sentence
):
    """pytest checks choices of flags only; ini entries and variables are checked here."""
    name, _, value = place.partition("=")
    if name.isupper():
        monkeypatch.setenv(name, value)
    else:
        configure(f"{name} = {value}\n")
    result = lem("def test_plain():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == f"ERROR: {sentence}"


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("rounds", "--lem-set: write a setting as path=value, not 'rounds'"),
        ("=3", "--lem-set: write a setting as path=value, not '=3'"),
        ("measure..rounds=3", "--lem-set: write a setting as path=value, not 'measure..rounds=3'"),
        ("model=[1", "--lem-set model: '[1' is not a value in YAML"),
        (
            "measure.round=3",
            "--lem-set measure.round: unknown key `measure.round`: did you mean `rounds`?",
        ),
        ("measure.rounds=0", "--lem-set measure.rounds: `measure.rounds`: *, not 0"),
        ("batch_size=many", "--lem-set batch_size: `batch_size`: *, not 'many'"),
        ("energy.meters=[auto, rapl]", "--lem-set energy.meters: *`auto` chooses by itself*"),
    ],
)
def test_a_mistake_in_a_setting_is_one_sentence(lem, assignment, sentence):
    """Path and value are checked before anything is collected."""
    result = lem("def test_plain():\n    pass\n", f"--lem-set={assignment}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence.replace('[', '[[]')}"])
    assert "Traceback" not in result.stderr.str()


def test_an_unknown_meter_is_refused(lem):
    """A misspelt meter is an error with what there is, not a run without energy."""
    result = lem(SOURCE, "--lem-meter=estimate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        "ERROR: there is no meter `estimate`: did you mean `estimated`?"
    )


def test_a_meter_that_cannot_be_used_is_refused(lem, suite):
    """A meter that was named never falls back to another; a stranger's is found like ours."""
    suite.makepyfile(
        wall_meter="""
        from pytest_lem.energy.meter import Availability
        from pytest_lem.energy.reading import Tier

        class WallMeter:
            name, method = "wall", "wall-1"

            def __init__(self, **settings):
                pass

            def availability(self):
                return Availability(tier=Tier.NONE, sentence="no plug answers; switch it on")
        """
    )
    metadata = suite.mkdir("wall-1.0.dist-info")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: wall\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pytest_lem.meters]\nwall = wall_meter:WallMeter\n")
    suite.syspathinsert()
    result = lem(SOURCE, "--lem-meter=wall")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        "ERROR: the meter `wall` cannot be used here: no plug answers; switch it on"
    )


def test_quiet_prints_one_line(lem):
    """`-q` leaves one line about energy: no header, no table, no progress."""
    lines = lem(SOURCE, "-q").stdout.lines
    (line,) = [line for line in lines if "energy" in line or "lem" in line]
    assert re.fullmatch(
        r"energy: 1 case, (~\S+ \w?J/call \(estimated\)|energy unknown), flags: short_window "
        r"shortened; \.lem/runs/\S+/run\.json",
        line,
    )


def test_verbose_prints_the_rounds(lem):
    """`-v` adds every round with its domain."""
    result = lem(SOURCE, "-v")
    result.stdout.fnmatch_lines(["*step *time *energy *of*", "*round 1 *process-tree*"])
    lem(SOURCE).stdout.no_fnmatch_line("*process-tree*")


def test_the_verbosity_of_energy_can_stand_apart(lem):
    """`verbosity_lem` sets the reports of this plugin alone, as pytest does for its own."""
    result = lem(SOURCE, "-v", "-o", "verbosity_lem=-1")
    result.stdout.fnmatch_lines(["energy: 1 case, *"])


@pytest.mark.parametrize(("color", "is_colored"), [("no", False), ("yes", True)])
def test_the_option_color_decides_over_the_environment(lem, monkeypatch, color, is_colored):
    """`--color=no` leaves no escape sequence even where variables ask for colour."""
    monkeypatch.delenv("PY_COLORS", raising=False)
    monkeypatch.setenv("FORCE_COLOR" if color == "no" else "NO_COLOR", "1")
    result = lem(SOURCE, f"--color={color}")
    text = result.stdout.str()
    assert "J/call" in text
    assert ("\x1b[" in text[text.index("J/call") - 8 :]) is is_colored


def test_a_narrow_terminal_is_respected(lem, monkeypatch):
    """The table gives up columns and folds names before it breaks lines."""
    monkeypatch.setenv("COLUMNS", "60")
    name = "test_" + "long_" * 20
    result = lem(f"def {name}(energy):\n    energy(list)\n")
    lines = result.stdout.lines
    start = next(i for i, line in enumerate(lines) if line.startswith("case "))
    end = next(i for i, line in enumerate(lines) if line.startswith("run file: "))
    assert lines[start].split() == ["case", "J/call"]
    assert end - start > 3
    assert max(len(line) for line in lines[start:end]) <= 60


def test_a_required_tier_that_is_not_there_ends_the_run(lem, suite):
    """The sentence says what is missing, before anything is measured."""
    result = lem("def test_x(energy):\n    energy(list)\n", "--lem-require-tier=counter")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: energy would be of tier `estimated`, and `counter` is*"])


def test_simulated_energy_is_marked_wherever_it_is_shown(lem, stored):
    """It carries the mark of what is not measured, a flag, and its origin in the record."""
    source = "from burn import burn\ndef test_x(energy):\n    energy(burn)\n"
    result = lem(source, "--lem-meter=simulated")
    result.assert_outcomes(passed=1)
    (record,) = stored().records
    assert (record.origin, "simulated" in record.flags) == ("simulated", True)
    result.stdout.fnmatch_lines(["test_it::test_x*~*J*", "*simulated: energy comes from the*"])
