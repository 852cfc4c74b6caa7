"""Reports by their names, ours and strangers', and what is wrong with them in one sentence."""

from __future__ import annotations

import pytest

from pytest_lem.errors import LemError
from pytest_lem.registry import REPORTS, entries
from pytest_lem.reports import faces
from pytest_lem.reports.faces import rendered, report_named

HEAD = "class Stranger:\n    name, requires, install = 'odd', {requires}, 'pip install odd'\n"
HEAD += "    follows, is_printable = (), True\n    def render(self, material):\n        {body}\n"


@pytest.fixture
def stranger(register):
    """Return a function that registers a report under the name `odd`."""

    def make(body="return b'x'", requires=()):
        register(REPORTS, "odd", HEAD.format(body=body, requires=requires))

    return make


def problem(action):
    """Return the sentence of the error that an action ends in."""
    with pytest.raises(LemError) as caught:
        action()
    return str(caught.value)


def test_the_built_in_ones_come_through_the_same_door():
    """As a stranger's would."""
    assert {"csv", "html", "json", "md", "parquet", "table"} <= set(entries(REPORTS))


def test_a_strangers_report_is_found_and_made(stranger, material, call):
    """By its name."""
    stranger("return material.summary.rows[0].labels['case'].encode()")
    assert rendered("odd", report_named("odd"), material([call("t::a")])) == b"t::a"


def test_a_name_that_nobody_has_is_refused_with_one_that_is_near():
    """It is a report that there is not."""
    assert problem(lambda: report_named("htm")) == (
        "there is no report `htm`: did you mean `html`?"
    )


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import no_such_module\n", "cannot be loaded (ModuleNotFoundError: No module named 'no_"),
        ("class Other: pass\n", "cannot be loaded (AttributeError: module"),
        ("class Stranger:\n    def __init__(self, x): pass\n", "cannot be loaded (TypeError: "),
        ("class Stranger:\n    requires, install, follows = (), '', ()\n", "has no `is_printable`"),
    ],
)
def test_what_is_no_report_is_one_sentence(register, source, sentence):
    """Whatever is wrong with it, it says what to do."""
    register(REPORTS, "odd", source)
    said = problem(lambda: report_named("odd"))
    assert sentence in said
    assert "package" in said


def test_a_library_that_is_missing_is_named_with_the_command(stranger, monkeypatch):
    """Before anything is made."""
    stranger(requires=("json", "no_such_module", "no.such.child"))
    assert problem(lambda: report_named("odd")) == (
        "the report `odd` needs no_such_module, no.such.child, which is not installed; run: "
        "pip install odd"
    )
    monkeypatch.setattr(faces, "find_spec", lambda _: None)
    assert problem(lambda: report_named("parquet")).endswith("pip install 'pytest-lem[parquet]'")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise KeyError('x\\ny')", "the report `odd` could not be made (KeyError: 'x\\ny'); the"),
        ("raise ValueError", "the report `odd` could not be made (ValueError); the run is stored"),
        ("return 'text'", "the report `odd` returned str where bytes belong"),
    ],
)
def test_one_that_goes_wrong_is_one_sentence(stranger, material, call, body, sentence):
    """Of a stranger's code, the log has the rest."""
    stranger(body)
    report = report_named("odd")
    assert problem(lambda: rendered("odd", report, material([call()]))).startswith(sentence)


def test_a_sentence_of_its_own_is_told_as_it_is(stranger, material, call):
    """It knows best."""
    stranger("from pytest_lem.errors import config_error; raise config_error('no ink; buy some')")
    report = report_named("odd")
    assert problem(lambda: rendered("odd", report, material([call()]))) == "no ink; buy some"
