"""What follows from what was found."""

from __future__ import annotations

import json

import pytest

from pytest_lem.cli.doctor.findings import Findings, Row, Section, failed
from pytest_lem.energy.reading import Tier

PARTS = [
    Section(name="one", facts={"x": None}, rows=[], problems=["a is broken"], hints=["b"]),
    Section(name="two", facts=[], rows=[Row("label", "text")], hints=["c"]),
]


def test_problems_and_hints_are_those_of_all_sections():
    """None gets lost, and their order stays."""
    found = Findings(sections=PARTS, sources={})
    assert found.problems == ["a is broken"]
    assert found.hints == ["b", "c"]


@pytest.mark.parametrize(
    ("sources", "required", "is_worse"),
    [
        ({"nvml": Tier.COUNTER}, Tier.COUNTER, False),
        ({"nvml": Tier.COUNTER, "estimated": Tier.ESTIMATED}, Tier.COUNTER, False),
        ({"estimated": Tier.ESTIMATED}, Tier.COUNTER, True),
        ({"estimated": Tier.ESTIMATED}, Tier.POWER, True),
        ({"estimated": Tier.ESTIMATED}, Tier.ESTIMATED, False),
        ({}, Tier.ESTIMATED, True),
        ({}, None, False),
    ],
)
def test_a_worse_tier_than_required_is_a_problem(sources, required, is_worse):
    """The best of the sources counts, and nothing is required by itself."""
    problems = Findings(sections=[], sources=sources, required=required).problems
    assert bool(problems) is is_worse
    assert all(f"`{required}` is required" in problem for problem in problems)


@pytest.mark.parametrize(
    ("sources", "verdict"),
    [
        ({}, "energy cannot be told here: no meter works"),
        ({"estimated": Tier.ESTIMATED}, "energy can only be estimated here, for work on the CPU"),
        ({"rapl": Tier.COUNTER}, "energy can be measured here, by rapl (tier `counter`)"),
        (
            {"nvml": Tier.COUNTER, "estimated": Tier.ESTIMATED},
            "energy can be measured here, by nvml (tier `counter`); of work on the CPU it is",
        ),
    ],
)
def test_the_verdict_says_how_well_energy_is_known(sources, verdict):
    """An estimate is never called a measurement."""
    assert Findings(sections=[], sources=sources).verdict.startswith(verdict)


def test_the_document_has_a_key_for_each_section():
    """What is unknown is null in the JSON."""
    document = json.loads(json.dumps(Findings(sections=PARTS, sources={}).plain()))
    assert document == {
        "schema_version": "1.0",
        "tier": "none",
        "verdict": "energy cannot be told here: no meter works",
        "problems": ["a is broken"],
        "hints": ["b", "c"],
        "one": {"x": None},
        "two": [],
    }


def test_a_section_that_fails_is_a_problem_in_one_sentence():
    """It says which one, and with what."""
    section = failed("cpu", ValueError("no such CPU"))
    assert section.facts is None
    (problem,) = section.problems
    assert problem.startswith("the section `cpu` could not be made (ValueError: no such CPU); ")
