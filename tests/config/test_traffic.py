"""Traffic that can be asked for: each process with its own settings, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.config.layers import Layers
from pytest_lem.config.models import Settings
from pytest_lem.config.resolve import resolve
from pytest_lem.config.source import read_file

Write = Callable[..., Path]
Sentence = Callable[..., str]

OWN: dict[str, dict[str, Any]] = {
    "closed": {"concurrency": 8},
    "constant": {"rate": 2.5},
    "poisson": {"rate": 2.5},
    "gamma": {"rate": 2.5, "burstiness": 0.5},
    "replay": {"timestamps": "arrivals.txt"},
}
OPEN = [process for process in OWN if process != "closed"]
VALUES = {name: value for own in OWN.values() for name, value in own.items()}
STRANGERS = [(process, name) for process, own in OWN.items() for name in VALUES if name not in own]
STRANGERS.append(("closed", "max_concurrency"))
VALUES["max_concurrency"] = 64


def _settings(layers: Layers) -> Settings:
    return resolve(layers, default_preset="smoke", options_of=lambda _: object).settings


def _file(**traffic: Any) -> str:
    return "traffic:\n" + "".join(f"  {name}: {value}\n" for name, value in traffic.items())


@pytest.mark.parametrize("process", OWN)
def test_each_process_takes_its_own_settings(write: Write, process: str) -> None:
    """They are valid together, and come through as they are."""
    text = _file(arrivals=process, **OWN[process], ramp_s=0.5, drain_s=3, most_failed=0.2)
    traffic = _settings(read_file(write(text))).traffic
    assert traffic.problem is None
    assert traffic.model_dump(exclude_none=True) == {
        "arrivals": process,
        **OWN[process],
        "ramp_s": 0.5,
        "drain_s": 3.0,
        "most_failed": 0.2,
    }


@pytest.mark.parametrize("process", OPEN)
def test_an_open_loop_may_have_a_limit(write: Write, process: str) -> None:
    """The users of a closed loop are one already, so it is refused there (above)."""
    text = _file(arrivals=process, **OWN[process], max_concurrency=3)
    traffic = _settings(read_file(write(text))).traffic
    assert (traffic.problem, traffic.max_concurrency) == (None, 3)


def test_without_arrivals_there_is_no_traffic(write: Write) -> None:
    """Not in any preset either; how long to wait may be set all the same."""
    assert _settings(Layers()).traffic.arrivals is None
    assert _settings(read_file(write(_file(drain_s=1.0)))).traffic.drain_s == 1.0


@pytest.mark.parametrize(
    ("process", "missing"), [(process, name) for process, own in OWN.items() for name in own]
)
def test_a_process_without_its_setting_says_which_it_needs(
    write: Write, process: str, missing: str
) -> None:
    """Nothing is taken in its place; but it may come later, from a test's parameters."""
    own = {name: value for name, value in OWN[process].items() if name != missing}
    traffic = _settings(read_file(write(_file(arrivals=process, **own)))).traffic
    assert traffic.problem == f"traffic.arrivals: {process} needs traffic.{missing}"


@pytest.mark.parametrize(("process", "stranger"), STRANGERS)
def test_a_process_refuses_what_it_would_not_read(
    write: Write, sentence: Sentence, process: str, stranger: str
) -> None:
    """A setting without a meaning would make two names of one traffic."""
    text = _file(arrivals=process, **OWN[process], **{stranger: VALUES[stranger]})
    found = sentence(_settings, read_file(write(text)))
    assert found.partition(": ")[2] == (
        f"`traffic`: traffic.{stranger} means nothing with traffic.arrivals: {process}; take it "
        "out, or choose another process"
    )


@pytest.mark.parametrize("stranger", VALUES)
def test_a_load_without_a_process_is_a_problem(write: Write, stranger: str) -> None:
    """Whoever gives a rate and forgets the process does not measure a batch instead."""
    traffic = _settings(read_file(write(_file(**{stranger: VALUES[stranger]})))).traffic
    assert f"traffic.{stranger} means nothing with traffic.arrivals: null" in str(traffic.problem)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rate", "0", "input should be greater than 0, not 0"),
        ("rate", "-1", "input should be greater than 0, not -1"),
        ("rate", "200000", "input should be less than or equal to 100000, not 200000"),
        ("rate", ".nan", "input should be a finite number, not nan"),
        ("rate", ".inf", "input should be a finite number, not inf"),
        ("rate", "fast", "input should be a valid number, not 'fast'"),
        ("burstiness", "0", "input should be greater than 0, not 0"),
        ("burstiness", "2000", "input should be less than or equal to 1000, not 2000"),
        ("concurrency", "0", "input should be greater than or equal to 1, not 0"),
        ("max_concurrency", "0", "input should be greater than or equal to 1, not 0"),
        ("concurrency", "1.5", "input should be a valid integer, not 1.5"),
        ("concurrency", "true", "input should be a valid integer, not True"),
        ("timestamps", "''", "string should have at least 1 character, not ''"),
        ("ramp_s", "-1", "input should be greater than or equal to 0, not -1"),
        ("drain_s", "0", "input should be greater than 0, not 0"),
        ("most_failed", "1.1", "input should be less than or equal to 1, not 1.1"),
        (
            "arrivals",
            "poison",
            "input should be 'closed', 'constant', 'poisson', 'gamma' or 'replay', not 'poison'",
        ),
    ],
)
def test_a_value_out_of_its_bounds_is_one_sentence(
    write: Write, sentence: Sentence, name: str, value: str, why: str
) -> None:
    """With its place, its name and what would do."""
    assert sentence(_settings, read_file(write(_file(**{name: value})))) == (
        f"lem.yaml:2: `traffic.{name}`: {why}"
    )


@pytest.mark.parametrize("name", ["ttft_s", "tpot_s", "e2e_s"])
def test_a_limit_on_latency_is_above_zero(write: Write, sentence: Sentence, name: str) -> None:
    """No request could keep any other."""
    assert sentence(_settings, read_file(write(f"slo: {{{name}: 0}}"))) == (
        f"lem.yaml:1: `slo.{name}`: input should be greater than 0, not 0"
    )
    limits = _settings(read_file(write(f"slo: {{{name}: 0.5}}"))).slo
    assert limits.model_dump(exclude_none=True) == {name: 0.5}


def test_unknown_keys_are_refused(write: Write, sentence: Sentence) -> None:
    """A near match is named."""
    assert sentence(_settings, read_file(write(_file(concurency=3)))) == (
        "lem.yaml:2: unknown key `traffic.concurency`: did you mean `concurrency`?"
    )
