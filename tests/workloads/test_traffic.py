"""When requests arrive: schedules against the distributions that they claim."""

from __future__ import annotations

import itertools
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_lem.errors import LemError
from pytest_lem.workloads.traffic import Traffic, read_times

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

COUNT = 4000
SHAPES = [0.3, 1.0, 4.0]
RATES = [0.2, 3.0, 250.0]


def _times(traffic: Traffic, seed: int = 1, count: int = COUNT) -> list[float]:
    return list(itertools.islice(traffic.schedule(seed), count))


def _gaps(traffic: Traffic, seed: int = 1, count: int = COUNT) -> list[float]:
    return [b - a for a, b in itertools.pairwise(_times(traffic, seed, count + 1))]


def _gamma(rate: float, shape: float) -> Traffic:
    return Traffic(arrivals="gamma", rate=rate, burstiness=shape)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", [1, 7, 23])
def test_the_gaps_of_poisson_arrivals_are_exponential(rate: float, seed: int) -> None:
    """Kolmogorov and Smirnov find no difference, and the shape 2 they would."""
    gaps = _gaps(Traffic(arrivals="poisson", rate=rate), seed)
    assert stats.kstest(gaps, stats.expon(scale=1 / rate).cdf).pvalue > 0.01
    assert stats.kstest(gaps, stats.gamma(2, scale=1 / (2 * rate)).cdf).pvalue < 1e-6


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gaps_of_gamma_arrivals_have_their_shape(rate: float, shape: float) -> None:
    """The gaps follow the stated shape and no other, at the stated rate."""
    gaps = _gaps(_gamma(rate, shape), seed=11)
    for other in SHAPES:
        p = stats.kstest(gaps, stats.gamma(other, scale=1 / (other * rate)).cdf).pvalue
        assert p > 0.01 if other == shape else p < 1e-6
    wrong_rate = stats.gamma(shape, scale=1 / (shape * 1.3 * rate)).cdf
    assert stats.kstest(gaps, wrong_rate).pvalue < 1e-6


@pytest.mark.parametrize("traffic", [
    Traffic(arrivals="poisson", rate=5.0), *(_gamma(5.0, shape) for shape in SHAPES)
], ids=lambda traffic: traffic.label)  # fmt: skip
def test_the_mean_rate_is_as_asked_and_gaps_are_independent(traffic: Traffic) -> None:
    """Within four standard errors of the mean; a gap says nothing of the next."""
    gaps = _gaps(traffic, seed=3)
    deviation_s = 0.2 / (traffic.burstiness or 1.0) ** 0.5
    assert abs(fmean(gaps) - 0.2) < 4 * deviation_s / COUNT**0.5
    assert abs(stats.spearmanr(gaps[:-1], gaps[1:]).statistic) < 4 / COUNT**0.5


def test_constant_arrivals_are_evenly_spaced_from_the_start() -> None:
    """The first is due at once, and each gap is the same."""
    traffic = Traffic(arrivals="constant", rate=4.0)
    assert _times(traffic, count=6) == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert _times(traffic, seed=1) == _times(traffic, seed=2)


@pytest.mark.parametrize("traffic", [Traffic(arrivals="poisson", rate=2.0), _gamma(2.0, 0.3)])
def test_equal_seeds_give_equal_times_and_others_other_times(traffic: Traffic) -> None:
    """A schedule can be had again, and rounds differ; seeds below 0 are seeds as well."""
    assert _times(traffic, seed=5) == _times(traffic, seed=5)
    assert len({_times(traffic, seed=seed, count=3)[1] for seed in range(-1, 20)}) == 21
    times = _times(traffic, seed=5)
    assert times[0] == 0
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("users", "ramp_s", "starts_s"),
    [(1, 2.0, [0.0]), (4, 2.0, [0.0, 0.5, 1.0, 1.5]), (3, 0.0, [0.0, 0.0, 0.0])],
)
def test_users_begin_spread_over_the_ramp(users: int, ramp_s: float, starts_s: list[float]) -> None:
    """Each user once, the first at once and none as late as its end."""
    traffic = Traffic(arrivals="closed", concurrency=users, ramp_s=ramp_s)
    assert list(traffic.schedule(0)) == starts_s
    assert not traffic.is_open


def test_a_replay_has_its_own_times_and_ends() -> None:
    """Whatever the seed."""
    traffic = Traffic(arrivals="replay", times_s=(0.0, 0.5, 0.5, 2.0))
    assert list(traffic.schedule(1)) == list(traffic.schedule(2)) == [0.0, 0.5, 0.5, 2.0]
    assert traffic.is_open


@pytest.mark.parametrize(
    ("traffic", "label"),
    [
        (Traffic(arrivals="closed", concurrency=8), "closed-8"),
        (Traffic(arrivals="constant", rate=2.0), "constant-2"),
        (Traffic(arrivals="poisson", rate=2.5), "poisson-2.5"),
        (Traffic(arrivals="gamma", rate=10.0, burstiness=0.5), "gamma-10-0.5"),
        (Traffic(arrivals="replay", times_s=(0.0,)), "replay"),
        (Traffic(arrivals="poisson", rate=2.5, max_concurrency=8), "poisson-2.5-max8"),
        (Traffic(arrivals="replay", times_s=(0.0,), max_concurrency=8), "replay-max8"),
    ],
)
def test_a_label_says_what_arrives(traffic: Traffic, label: str) -> None:
    """In a word, for keys and tables."""
    assert traffic.label == label


_POSITIVE = st.floats(0.001, 1000)
_TRAFFIC = st.builds(
    Traffic,
    arrivals=st.sampled_from(["closed", "constant", "poisson", "gamma", "replay"]),
    concurrency=st.none() | st.integers(1, 100),
    rate=st.none() | _POSITIVE,
    burstiness=st.none() | _POSITIVE,
    times_s=st.none() | st.lists(_POSITIVE, min_size=1).map(tuple),
    max_concurrency=st.none() | st.integers(1, 100),
    ramp_s=st.floats(0, 10),
)


@deterministic
@given(_TRAFFIC)
def test_traffic_survives_its_plain_form(traffic: Traffic) -> None:
    """The host process makes the same traffic out of what it is sent."""
    assert Traffic.from_plain(traffic.canonical()) == traffic


@deterministic
@given(_TRAFFIC, _TRAFFIC)
def test_only_equal_traffic_has_an_equal_form(one: Traffic, other: Traffic) -> None:
    """Nothing that defines it is left out of it."""
    assert (one.canonical() == other.canonical()) == (one == other)


@deterministic
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50).map(sorted))
def test_a_file_of_times_is_read_from_its_first_on(
    tmp_path_factory: Any, times: list[float]
) -> None:
    """Clocks may count from anywhere."""
    path = tmp_path_factory.mktemp("times") / "arrivals.txt"
    path.write_text("\n".join(map(repr, times)) + "\n")
    assert read_times(path) == tuple(time - times[0] for time in times)


def test_empty_lines_are_no_times(tmp_path: Path) -> None:
    """Nor are spaces around a time part of it."""
    path = tmp_path / "arrivals.txt"
    path.write_bytes(b"\r\n 10 \r\n\r\n10.5\r\n1.2e1\n\n")
    assert read_times(path) == (0.0, 0.5, 2.0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"1\n2\n1.5\n", "{}: time 3 is 1.5; times are finite and in order"),
        (b"nan\n1\n", "{}: time 1 is nan; times are finite and in order"),
        (b"1\nNaN\n", "{}: time 2 is NaN; times are finite and in order"),
        (b"1\ninf\n", "{}: time 2 is inf; times are finite and in order"),
        (b"1\nsoon\n", "{}: time 2 is `soon`, which is no number"),
        (b"1\n" + b"x" * 90, "{}: time 2 is `" + "x" * 40 + "`, which is no number"),
        (b"", "{} has no times; write one on each line, in seconds"),
        (b"\n \n", "{} has no times; write one on each line, in seconds"),
        (b"1\n\xff\n", "cannot read the timestamps {}: it is not UTF-8 text"),
        (None, "cannot read the timestamps {}: No such file or directory"),
    ],
)
def test_what_is_no_file_of_times_is_one_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    """It says which time is wrong, or why nothing could be read."""
    path = tmp_path / "arrivals.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LemError) as caught:
        read_times(path)
    assert (caught.value.kind, str(caught.value)) == ("data", sentence.format(path))


@pytest.mark.parametrize(
    ("fields", "least_s"),
    [
        ({"arrivals": "poisson", "rate": 2.0}, 5.0),
        ({"arrivals": "constant", "rate": 100.0}, 0.1),
        ({"arrivals": "closed", "concurrency": 4}, 0.0),
    ],
)
def test_a_window_has_room_for_ten_requests(fields: dict[str, Any], least_s: float) -> None:
    """Of a closed loop nobody knows beforehand how fast it is."""
    assert Traffic(**fields).least_window_s == pytest.approx(least_s)
