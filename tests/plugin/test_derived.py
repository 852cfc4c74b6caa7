"""Derived figures of a run that was configured, and of one that was resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lem.cli.main import main

pytestmark = pytest.mark.usefixtures("engine")

ONE = """
def test_one(inference):
    inference(options={"cpu_s": 0.05})
"""
COST = ["--lem-set=cost.grid_gco2e_per_kwh=350", "--lem-set=cost.price_per_kwh=0.25",
        "--lem-set=cost.pue=1.2"]  # fmt: skip
EMISSIONS = "emissions_per_1000_output_tokens_gco2e"


def _report(suite: pytest.Pytester, capsys, *arguments: str):
    capsys.readouterr()
    store = str(Path(suite.path, ".lem"))
    assert main(["report", "latest", "--store", store, "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)["rows"][0]["derived"]


def test_every_setting_reaches_the_record_and_the_report(lem, stored, suite, capsys):
    """The record, the terminal at -v, and the report of the stored run agree."""
    result = lem(ONE, "-v", "--lem-set=cost.currency=USD", *COST)
    (record,) = stored().records
    energy = record.metrics["energy_per_output_token_j"]
    found = {name: (m.value, m.unit) for name, m in record.derived.items()}
    assert found == {
        "facility_energy_per_output_token_j": (pytest.approx(energy.value * 1.2), "J/token"),
        EMISSIONS: (pytest.approx(energy.value * 1000 / 3.6e6 * 350 * 1.2), "gCO2e"),
        "cost_per_million_output_tokens": (
            pytest.approx(energy.value * 1e6 / 3.6e6 * 0.25 * 1.2),
            "USD",
        ),
    }
    assert record.derived[EMISSIONS].tier == "estimated"
    result.stdout.fnmatch_lines(
        ["  emissions/1k tokens (derived): ~*gCO2e ±*", "  derived from the energy*not measured: *"]
    )
    assert _report(suite, capsys)[EMISSIONS]["value"] == pytest.approx(
        record.derived[EMISSIONS].value
    )


def test_nothing_is_derived_without_settings(lem, stored, suite, capsys):
    """The reasons are in the record; later settings give the figures of this very run."""
    lem(ONE)
    (record,) = stored().records
    assert record.derived[EMISSIONS].reason == "cost.grid_gco2e_per_kwh is not set"
    assert _report(suite, capsys) == {}
    found = _report(suite, capsys, "--set", "cost.grid_gco2e_per_kwh=350")
    energy = record.metrics["energy_per_output_token_j"].value
    assert found[EMISSIONS]["value"] == pytest.approx(energy * 1000 / 3.6e6 * 350)


def test_what_is_resumed_is_derived_anew(lem, stored):
    """The energy is that of the earlier run, the settings are those of this one."""
    lem(ONE, "--lem-set=cost.pue=2.0")
    (earlier,) = stored().records
    lem(ONE, "--lem-resume", *COST)
    (record,) = stored().records
    assert record.origin == "resumed"
    energy = earlier.metrics["energy_per_output_token_j"].value
    assert record.metrics["energy_per_output_token_j"].value == energy
    assert record.derived[EMISSIONS].value == pytest.approx(energy * 1000 / 3.6e6 * 350 * 1.2)
    assert record.requested["cost"]["pue"] == 1.2


def test_a_model_without_shapes_says_why(lem, stored):
    """Its folder has no configuration; arithmetic is null with that reason."""
    lem(ONE)
    (record,) = stored().records
    assert record.applied["structure"]["reason"]
    for name in ("flops_per_token", "mfu", "energy_per_flop_j"):
        metric = record.metrics[name]
        assert (metric.value, metric.n) == (None, 0)
        assert metric.reason.startswith("the shapes of the model are not known: ")


def test_a_model_with_shapes_has_its_arithmetic(lem, stored, ngram, suite):
    """Counted from the configuration in its folder; on a CPU there is no peak to compare with."""
    model = Path(suite.path, "model")
    model.mkdir()
    for path in ngram.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    own = json.loads((ngram / "config.json").read_text())
    shape = {"model_type": "llama", "num_hidden_layers": 30, "num_attention_heads": 9,
             "num_key_value_heads": 3, "hidden_size": 576, "intermediate_size": 1536,
             "vocab_size": 49152}  # fmt: skip
    (model / "config.json").write_text(json.dumps({**own, **shape}))
    lem(ONE, "--lem-model=model")
    (record,) = stored().records
    requests = [request for r in record.rounds for request in r.requests]
    mean = sum(r.output_tokens * (r.input_tokens + r.output_tokens / 2) for r in requests)
    mean /= sum(r.output_tokens for r in requests)
    assert record.metrics["flops_per_token"].value == pytest.approx(2 * 134_479_872 + 69_120 * mean)
    assert record.metrics["flop_throughput_per_s"].value > 0
    assert record.metrics["energy_per_flop_j"].tier == "estimated"
    mfu = record.metrics["mfu"]
    assert (mfu.value, mfu.reason) == (None, "there is no peak for a CPU")


@pytest.mark.parametrize("text", ["cost.pue=0.5", "cost.prize=1"])
def test_a_wrong_setting_ends_the_run_in_a_sentence(lem, text):
    """Before anything is measured."""
    result = lem(ONE, f"--lem-set={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --lem-set {text.partition('=')[0]}: *"])


@pytest.mark.parametrize("name", ["mfu", "energy_per_flop_j", EMISSIONS])
def test_none_of_them_can_be_gated(lem, name):
    """A rule that names one is refused."""
    result = lem(ONE, "--lem-baseline=main", f"--lem-fail-on={name}:5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{name}*"])
