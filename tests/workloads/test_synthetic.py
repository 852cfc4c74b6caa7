"""Prompts that are made up, with a given distribution of lengths."""

from __future__ import annotations

from math import exp, log, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from scipy import stats

from pytest_lem.config.dataset import DatasetSettings
from pytest_lem.errors import LemError
from pytest_lem.workloads.dataset import with_dataset
from pytest_lem.workloads.synthetic import lengths, synthetic
from pytest_lem.workloads.workload import Workload

MANY = 4000


def settings(**fields: Any) -> DatasetSettings:
    """Return the settings of synthetic prompts."""
    return DatasetSettings(source="synthetic", **fields)


def test_a_fixed_length_is_that_of_every_prompt() -> None:
    """Each carries it to where the tokens are."""
    assert {prompt.tokens for prompt in synthetic(settings(tokens=17), 50)} == {17}


def test_uniform_lengths_lie_between_their_limits() -> None:
    """Both of which occur, as often as any other."""
    found = lengths(settings(lengths="uniform", least=3, most=12), MANY)
    counts = [found.count(n) for n in range(3, 13)]
    assert sum(counts) == MANY
    assert stats.chisquare(counts).pvalue > 0.01


def test_lognormal_lengths_have_their_mean_and_their_scatter() -> None:
    """The logarithms are normal, by Kolmogorov and Smirnov, up to the rounding to tokens."""
    found = lengths(settings(lengths="lognormal", tokens=2000, cv=0.4), MANY)
    assert fmean(found) == pytest.approx(2000, rel=0.02)
    assert stdev(found) == pytest.approx(800, rel=0.05)
    variance = log(1 + 0.4**2)
    stated = stats.lognorm(s=sqrt(variance), scale=2000 * exp(-variance / 2))
    assert stats.kstest(found, stated.cdf).pvalue > 0.01


def test_limits_cut_lengths() -> None:
    """What would be shorter or longer is as short or as long as is allowed."""
    found = lengths(settings(lengths="lognormal", tokens=50, cv=2.0, least=20, most=90), MANY)
    assert (min(found), max(found)) == (20, 90)


def test_a_file_gives_the_histogram(tmp_path: Path) -> None:
    """Lengths come as often as they stand in it: one in four is 7."""
    path = tmp_path / "lengths.txt"
    path.write_text("7\n30\n30\n30\n")
    found = lengths(settings(lengths="file", lengths_file=str(path)), MANY)
    assert set(found) == {7, 30}
    assert found.count(7) / MANY == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"cannot read .*lengths\.txt \(No such file"),
        ("12\nmany\n", r"something else than one length on each line \(.*'many'"),
        ("12\n0\n", r"needs lengths of 1 and more"),
        ("", r"at least one of them"),
    ],
)
def test_a_file_of_lengths_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    """It says what is wrong with it."""
    path = tmp_path / "lengths.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LemError, match=sentence):
        synthetic(settings(lengths="file", lengths_file=str(path)), 3)


def test_the_same_settings_give_the_same_prompts_again() -> None:
    """Another seed gives others, and hardly two begin with the same four words."""
    dataset = settings(lengths="lognormal", tokens=30)
    found = synthetic(dataset, 40)
    assert found == synthetic(dataset, 40)
    assert found != synthetic(dataset.model_copy(update={"seed": 43}), 40)
    assert len({" ".join(prompt.text.split()[:4]) for prompt in found if prompt.tokens > 4}) > 35


def test_lengths_define_the_workload() -> None:
    """The hash of what is sent covers them, as it covers the texts."""
    base = with_dataset(Workload(), settings(tokens=10, samples=4), 4)
    longer = with_dataset(Workload(), settings(tokens=11, samples=4), 4)
    assert base.batches(4)[0][0].tokens == 10
    assert base.canonical(4)["prompts_sha256"] != longer.canonical(4)["prompts_sha256"]
    assert Workload.from_plain(base.plain()) == base
