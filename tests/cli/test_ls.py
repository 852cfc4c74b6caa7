"""`lem ls`: lists of what there is."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from importlib.util import find_spec
from typing import get_args

import pytest

from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.cli.main import main
from pytest_lem.config.models import Preset
from pytest_lem.config.parameter import option_parameters, settings_parameters
from pytest_lem.registry import BACKENDS, entries
from pytest_lem.workloads.dataset import KINDS

STRANGER = """
from dataclasses import dataclass, field

@dataclass
class Options:
    bare: int = 3
    loud: str = field(
        default="[red]x[/red]",
        metadata={"description": "See [link=x]this[/link].", "examples": ["[0]"]},
    )

class Stranger:
    Options = Options
"""


class Terminal(io.StringIO):
    """A file that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(capsys):
    """Return a function that runs the command and gives its status, output and complaints."""

    def run(*arguments):
        status = main(["ls", "params", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_every_setting_and_option_has_a_line(shown):
    """In a file or a pipe each has one, however long, so that it can be searched."""
    status, out, err = shown()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    start = lines.index("backends.transformers")
    for parameter in settings_parameters():
        (line,) = [line for line in lines[:start] if line.startswith(f"{parameter.path} ")]
        assert parameter.type in line
        assert line.endswith(parameter.description)
    names = [line.split()[0] for line in lines[start + 1 :] if line]
    assert {p.path for p in option_parameters(TransformersOptions)} <= set(names)


def test_a_line_has_default_and_examples(shown):
    """Those that need a GPU stand apart."""
    _, out, _ = shown("--backend=transformers")
    (line,) = [line for line in out.splitlines() if line.startswith("device ")]
    assert 'default "auto"; such as "cpu"; on a GPU "cuda", "cuda:0"' in line


def test_one_backend_comes_alone(shown):
    """Neither settings nor other backends are listed."""
    status, out, _ = shown("--backend=transformers")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "backends.transformers"
    assert len(lines) == 1 + len(option_parameters(TransformersOptions))


def test_a_program_gets_one_document(shown):
    """It has everything that is known, under the names by which it can be set."""
    status, out, err = shown("--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"settings", "backends"}
    assert found["settings"] == json.loads(json.dumps([asdict(p) for p in settings_parameters()]))
    expected = option_parameters(TransformersOptions, "backends.transformers.")
    assert [p["path"] for p in found["backends"]["transformers"]] == [p.path for p in expected]
    by_path = {p["path"]: p for p in found["backends"]["transformers"]}
    assert by_path["backends.transformers.device"]["gpu_examples"] == ["cuda", "cuda:0"]
    only = json.loads(shown("--json", "--backend=transformers")[1])
    assert only == {"settings": [], "backends": {"transformers": found["backends"]["transformers"]}}


def test_a_strangers_options_are_shown_to_the_letter(shown, register):
    """Whatever markup they resemble, and however little they say."""
    register(BACKENDS, "other", STRANGER)
    status, out, _ = shown("--backend=other")
    assert status == 0
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "backends.other",
        "bare integer; default 3",
        'loud string; default "[red]x[/red]"; such as "[0]" See [link=x]this[/link].',
    ]


def test_a_terminal_gets_lines_that_fit(monkeypatch):
    """Cells are folded to the width that there is."""
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["ls", "params", "--backend=transformers"]) == 0
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 2 * len(option_parameters(TransformersOptions))
    assert max(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) for line in lines) <= 80


def test_an_unknown_backend_is_a_sentence_and_status_2(shown):
    """It names what is near, and nothing is listed."""
    assert shown("--backend=transfrmers", "--json") == (
        2, "", "there is no backend `transfrmers`: did you mean `transformers`?\n"
    )  # fmt: skip
    assert shown("--backend=")[0] == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_engine", "(ModuleNotFoundError: No module named 'no_such_engine')"),
        ("class Stranger:\n    Options = int", "(TypeError: must be called with a dataclass"),
        ("class Stranger:\n    pass", "(AttributeError: type object 'Stranger' has no attribute"),
    ],
)
def test_a_broken_backend_hides_no_other(shown, register, source, reason):
    """It is named with the reason, the others are listed, and the status tells."""
    register(BACKENDS, "broken", source)
    status, out, err = shown()
    assert status == 1
    assert err.startswith(f"the options of the backend `broken` cannot be listed {reason}")
    assert err.endswith("; install its package anew, or remove it\n")
    assert "backends.transformers" in out.splitlines()
    assert "Traceback" not in out + err
    assert set(json.loads(shown("--json")[1])["backends"]) >= {"transformers"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ls"], "the following arguments are required: NOUN"),
        (["ls", "parms"], "invalid choice: 'parms'"),
        (["ls", "params", "--backnd=x"], "unrecognized arguments: --backnd=x"),
    ],
)
def test_a_mistake_in_the_usage_is_a_sentence_and_status_2(arguments, sentence, capsys):
    """Nothing is listed, and there is no traceback."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err.splitlines()[-1]


def test_the_help_says_what_a_status_means(capsys):
    """A user of a CI looks for it there, and it fits a terminal."""
    with pytest.raises(SystemExit):
        main(["ls", "params", "--help"])
    text = capsys.readouterr().out
    assert "  1  a backend is left out, because what it registers cannot be loaded" in text
    assert "--lem-set=measure.rounds=5" in text
    assert max(map(len, text.splitlines())) <= 80


def test_it_runs_as_a_command(lem):
    """As users start it, in any folder, without an engine."""
    done = lem("ls", "params", "--backend", "transformers")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("backends.transformers\npython ")


def _listed(capsys, *arguments):
    status = main(["ls", *arguments])
    return status, capsys.readouterr().out


def test_datasets_are_listed(capsys):
    """Those that ship with the project with their number of prompts, others without."""
    status, out = _listed(capsys, "datasets", "--json")
    found = {row["dataset"]: row for row in json.loads(out)}
    assert status == 0
    kinds = [found[f"lem-prompts: {kind}"]["prompts"] for kind in KINDS]
    assert found["lem-prompts"]["prompts"] == sum(kinds) > 100
    assert found["synthetic"]["prompts"] is None
    assert "tatsu-lab/alpaca" in found["alpaca"]["where"]
    assert "alpaca" in _listed(capsys, "datasets")[1]


def test_presets_are_listed_with_what_they_set(capsys):
    """And with the comment at the beginning of each."""
    status, out = _listed(capsys, "presets", "--json")
    found = {row["preset"]: row for row in json.loads(out)}
    assert status == 0
    assert set(found) == set(get_args(Preset))
    assert found["latency"]["sets"]["batch_size"] == 1
    assert found["latency"]["what"] == "One request at a time."
    assert "batch_size=1" in _listed(capsys, "presets")[1]


def test_backends_are_listed_with_how_to_install_them(capsys):
    """Whether one is there is looked up and not imported."""
    status, out = _listed(capsys, "backends", "--json")
    found = {row["backend"]: row for row in json.loads(out)}
    assert status == 0
    assert set(found) == set(entries(BACKENDS))
    for row in found.values():
        assert row["installed"] is all(find_spec(name) is not None for name in row["needs"])
    assert found["vllm"]["install"] in _listed(capsys, "backends")[1]


def test_a_broken_backend_does_not_hide_the_others(capsys, register):
    """It is named, and the status tells."""
    register(BACKENDS, "broken", "import no_such_module")
    status = main(["ls", "backends"])
    out, err = capsys.readouterr()
    assert status == 1
    assert "`broken` cannot be loaded (ModuleNotFoundError" in err
    assert "transformers" in out
