"""Settings with their origins."""

from pytest_lem.reports.html.configuration import own_configuration, shared_configuration
from pytest_lem.reports.html.view import View


def views(call, *settings):
    """Return cases with these settings."""
    found = []
    for number, requested in enumerate(settings):
        record = call(f"t::{number}")
        record.requested = requested
        record.settings_origin = {"seed": "--lem-set seed", "measure": "lem.yaml"}
        found.append(View(record=record, anchor=f"case-{number}", name="x", run=None))
    return found


def lines(root):
    """Return the rows of the tables."""
    return [[c.text for c in row.children] for row in root.every("tr") if row.every("td")]


def test_what_is_shared_stands_once_with_its_origin(call, read):
    """A setting below a name has the origin of the name, and words stand for yes, no and unset."""
    both = views(
        call,
        {"seed": 1, "measure": {"rounds": 3, "cool": None, "on": True}},
        {"seed": 2, "measure": {"rounds": 3, "cool": None, "on": True}},
    )
    assert lines(read(shared_configuration(both))) == [
        ["measure.cool", "not set", "lem.yaml"],
        ["measure.on", "yes", "lem.yaml"],
        ["measure.rounds", "3", "lem.yaml"],
    ]
    own = own_configuration(both)
    assert lines(read(own["case-1"])) == [["seed", "2", "--lem-set seed"]]


def test_a_single_case_has_all_its_settings(call, read):
    """There is nothing to share them with, and what the engine says stands below."""
    (only,) = views(call, {"seed": 1, "names": ["a", "b"]})
    assert shared_configuration([only]) is None
    only.record.applied = {"device": "cuda"}
    assert lines(read(own_configuration([only])["case-0"])) == [
        ["names", "a, b", ""],
        ["seed", "1", "--lem-set seed"],
        ["device", "cuda"],
    ]


def test_no_case_has_no_settings():
    """A run without cases has no section of them."""
    assert shared_configuration([]) is None
