"""Energy along the load."""

import pytest

from pytest_lem.reports.html.serving import load_curves


@pytest.fixture
def case(model, view):
    """Return a function that makes a case under traffic of some rate."""

    def make(rate, joules, good):
        record = model()
        record.case.kind = "serve"
        record.case.key = f"serve/poisson-{rate}"
        record.case.settings.model_extra["traffic"] = {"rate": rate}
        values = {
            "energy_per_good_request_j": joules,
            "energy_per_output_token_j": None,
            "goodput_req_s": good,
            "request_throughput_req_s": 99.0,
        }
        for name, value in values.items():
            record.metrics[name] = record.metrics[name].model_copy(update={"value": value})
        return view(record)

    return make


def test_loads_of_one_server_are_joined_by_a_line(case):
    """From the least goodput to the largest, whatever the order of the tests was."""
    (chart,) = load_curves([case(8, 2.0, 7.5), case(2, 5.0, 2.0)])
    (curve,) = chart.data
    assert (curve["x"], curve["y"]) == ([2.0, 7.5], [5.0, 2.0])
    assert chart.title == "J/good request against good requests per second"


def test_without_limits_all_requests_count(case):
    """Where nothing says what a good request is, those that were answered stand there."""
    (chart,) = load_curves([case(8, 2.0, None), case(2, 5.0, 2.0)])
    assert chart.data[0]["x"] == [2.0, 99.0]


def test_one_load_is_no_curve(case):
    """A single point stands in the table."""
    assert load_curves([case(8, 2.0, 7.5)]) == []
