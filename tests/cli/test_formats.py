"""`lem report --format`: any report that is registered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lem.registry import REPORTS

#: Lists the names of cases; `{}` is what it follows and whether it can be printed.
STRANGER = """
class Stranger:
    name, requires, install = "odd", (), ""
    follows, is_printable = {}

    def render(self, material):
        rows = material.summary.rows
        return {}
"""
LIST = "'\\n'.join(row.labels['case'] for row in rows).encode()"


@pytest.fixture
def odd(register, keep, measured):
    """Return a function that registers a report under the name `odd`, beside a run of two cases."""
    keep(1, measured("t::b"), measured("t::a", joules=4.0))

    def make(*, follows=(), is_printable=True, content=LIST):
        register(REPORTS, "odd", STRANGER.format((follows, is_printable), content))

    return make


def test_a_strangers_report_is_printed_or_written(odd, said):
    """As ours are."""
    odd()
    assert said("report", "latest", "--format=odd") == (0, ["t::b", "t::a"], [])
    assert said("report", "latest", "--format=odd", "--output=out/x") == (0, [], [])
    assert Path("out/x").read_bytes() == b"t::b\nt::a"


def test_what_it_follows_reaches_it(odd, said):
    """And nothing else can be asked of it."""
    odd(follows=("sort",))
    _, out, _ = said("report", "latest", "--format=odd", "--sort=energy_per_call_j")
    assert out == ["t::a", "t::b"]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--sort=key", "--format odd has no use for --sort; take one of the two out"),
        ("--group-by=kind", "--format odd has no use for --group-by"),
        ("--columns=key", "--format odd has no use for --columns"),
        ("--rows=rounds", "--format odd shows cases, and not --rows rounds; csv and parquet do"),
    ],
)
def test_what_it_does_not_follow_is_refused(odd, said, capsys, option, sentence):
    """Instead of being ignored."""
    odd()
    with pytest.raises(SystemExit) as ended:
        said("report", "latest", "--format=odd", option)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_what_is_not_for_a_terminal_needs_a_file(odd, said, capsys):
    """It is asked for before anything is made."""
    odd(is_printable=False)
    with pytest.raises(SystemExit):
        said("report", "latest", "--format=odd")
    assert "--format odd is not for a terminal; say with --output" in capsys.readouterr().err
    assert said("report", "latest", "--format=odd", "--output=x") == (0, [], [])


def test_bytes_that_are_no_text_are_not_printed(odd, said):
    """One sentence, and a file takes them."""
    odd(content="b'\\xff\\xfe'")
    status, out, (problem,) = said("report", "latest", "--format=odd")
    assert (status, out) == (2, [])
    assert problem.startswith("the report is no text, whatever it says of itself")
    assert said("report", "latest", "--format=odd", "--output=x") == (0, [], [])


def test_one_that_raises_is_one_sentence(odd, said):
    """Nothing is left of a file, and there is no traceback."""
    odd(content="1 / 0")
    status, out, (problem,) = said("report", "latest", "--format=odd", "--output=x")
    assert (status, out) == (2, [])
    assert problem.startswith("the report `odd` could not be made (ZeroDivisionError: ")
    assert not Path("x").exists()


def test_a_name_that_nobody_registers_is_one_sentence(odd, said):
    """With the one that is near."""
    assert said("report", "latest", "--format=jsn") == (
        2, [], ["there is no report `jsn`: did you mean `json`?"],
    )  # fmt: skip


def test_the_table_is_drawn_whoever_is_registered(register, keep, measured, said):
    """A command that shows what was measured depends on no other package."""
    register(REPORTS, "table", STRANGER.format(((), True), "1 / 0"))
    keep(1, measured())
    assert said("report", "latest")[0] == 0


def test_help_looks_for_no_report():
    """Nothing registered is loaded, or looked for, to show how a command is used."""
    code = (
        "import sys; from pytest_lem.cli.main import main\n"
        "try: main(['report', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith(('pytest_lem.reports', 'pydantic'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
