"""`lem report` derives cost and emissions from stored runs, without measuring again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pytest_lem.case import infer_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.workloads.workload import Workload

COST = {"grid_gco2e_per_kwh": 350.0, "price_per_kwh": 0.25, "currency": "USD", "pue": 1.2}
SETS = [part for name, value in COST.items() for part in ("--set", f"cost.{name}={value}")]
NAMES = {
    "facility_energy_per_output_token_j": (3.6 * 1.2, "J/token"),
    "emissions_per_1000_output_tokens_gco2e": (0.42, "gCO2e"),
    "cost_per_million_output_tokens": (0.3, "USD"),
}


@pytest.fixture
def model():
    """Return a function that makes the record of a model: 3.6 J for each of ten tokens."""

    def make(*, cost=None, batch_size=1, joules=36.0, cycle=None, tier=Tier.COUNTER):
        energy = Energy(
            domain=Domain.PACKAGE, device="package-0", tier=tier, value_j=joules,
            u_random_j=0.0, u_systematic_j=0.0,
        )  # fmt: skip
        work = Work(requests=1, input_tokens=5, output_tokens=10)
        found = Round(seq=0, start_s=1.0, end_s=3.0, energies=[energy], work=work)
        case = infer_case(
            backend="vllm", model="org/small", precision="float32", batch_size=batch_size,
            workload=Workload().canonical(batch_size), options={},
        )  # fmt: skip
        requested = {} if cost is None else {"cost": cost}
        context = Context(nodeid=f"t[{batch_size}]", requested=requested, cycle=cycle)
        return build_record(case, Measurement(rounds=[found]), context)

    return make


@pytest.fixture
def report(said):
    """Return a function that gives the JSON report of the latest run."""

    def read(*arguments):
        status, out, err = said("report", "latest", *arguments, "--format", "json")
        assert (status, err) == (0, [])
        return json.loads("\n".join(out))

    return read


def test_a_stored_run_gives_what_a_configured_one_gives(keep, model, report):
    """Figures, units and settings are the same, whenever the settings are given."""
    keep(1, model())
    assert report()["rows"][0]["derived"] == {}
    assert report()["cost"] is None
    later = report(*SETS)
    record = model(cost=COST)
    keep(2, record)
    assert report()["rows"] == later["rows"]
    assert report()["cost"] == later["cost"] == COST
    derived = later["rows"][0]["derived"]
    assert {name: (f["value"], f["unit"]) for name, f in derived.items()} == {
        name: (pytest.approx(value), unit) for name, (value, unit) in NAMES.items()
    }
    for name, figure in derived.items():
        assert figure["value"] == pytest.approx(record.derived[name].value)


def test_what_is_typed_goes_before_the_file_and_that_before_the_run(keep, model, report):
    """Each may leave out what the one below has; null takes a setting away."""
    keep(1, model(cost={"pue": 1.5, "price_per_kwh": 0.1}))
    Path("energy.yaml").write_text("measure: {rounds: 2}\ncost: {pue: 1.1, currency: CHF}\n")
    assert report()["cost"]["pue"] == 1.5
    found = report("--config", "energy.yaml", "--set", "cost.price_per_kwh=0.2")
    assert found["cost"] == {
        "grid_gco2e_per_kwh": None, "price_per_kwh": 0.2, "currency": "CHF", "pue": 1.1
    }  # fmt: skip
    alone = report("--set", "cost.price_per_kwh=null")["rows"][0]["derived"]
    assert list(alone) == ["facility_energy_per_output_token_j"]


def test_any_way_to_name_a_run_derives_the_same(keep, model, report, said):
    """A session, a run file, and the folder of both."""
    folder = keep(1, model(cost=COST))
    expected = report()["rows"]
    for name in ("run.json", "session.jsonl"):
        _, out, _ = said("report", str(folder / name), "--format", "json")
        assert json.loads("\n".join(out))["rows"] == expected


def test_groups_and_cycles_have_their_means_and_intervals(keep, model, report):
    """As the energy has, times the same factor."""
    joules = (36.0, 38.0, 40.0)
    keep(1, *(model(joules=j, cycle=n, batch_size=b) for b in (1, 2)
              for n, j in enumerate(joules, 1)))  # fmt: skip
    for arguments in ((), ("--group-by", "backend")):
        row = report(*arguments, "--set", "cost.price_per_kwh=0.25")["rows"][0]
        energy = row["figures"]["energy_per_output_token_j"]
        cost = row["derived"]["cost_per_million_output_tokens"]
        factor = 0.25 / 3.6
        assert cost["value"] == pytest.approx(energy["value"] * factor)
        assert cost["interval"] == pytest.approx([x * factor for x in energy["interval"]])
        assert (cost["cycles"], cost["sufficiency"]) == (energy["cycles"], energy["sufficiency"])


@pytest.mark.parametrize("form", ["table", "md"])
def test_tables_say_that_they_are_derived(keep, model, said, form):
    """In the heads, and in a note with what they rest on."""
    keep(1, model())
    _, out, _ = said("report", "latest", *SETS, "--format", form)
    text = "\n".join(out)
    for part in ("emissions/1k tokens (derived)", "420 mgCO2e", "cost/1M tokens (derived)",
                 "0.300 USD", "J/token of the facility (derived)", "4.32 J"):  # fmt: skip
        assert part in text
    assert ("derived from the energy per output token, not measured: 350 gCO2e per kWh, "
            "0.25 USD per kWh, PUE 1.2") in text  # fmt: skip
    _, out, _ = said("report", "latest", "--format", form)
    assert "derived" not in "\n".join(out)


def test_without_the_facility_a_note_says_so(keep, model, said):
    """Overhead that is not known is not taken for none."""
    keep(1, model(tier=Tier.ESTIMATED))
    _, out, _ = said("report", "latest", "--set", "cost.price_per_kwh=1")
    text = "\n".join(out)
    assert "without what the facility adds, since cost.pue is not set" in text
    assert "~1.00 EUR" in text


def test_csv_has_columns_for_what_is_set(keep, model, said):
    """Their names say that they are derived; currency and PUE stand beside them."""
    keep(1, model())
    _, out, err = said("report", "latest", *SETS, "--format", "csv")
    (row,) = csv.DictReader(out)
    assert err == []
    assert float(row["derived_cost_per_million_output_tokens"]) == pytest.approx(0.3)
    assert (row["cost_currency"], row["cost_pue"]) == ("USD", "1.2")
    _, out, _ = said("report", "latest", "--format", "csv")
    assert not any("derived" in name or name.startswith("cost_") for name in out[0].split(","))


def test_callables_have_none_of_them(keep, measured, report):
    """There are no tokens, and the reason says so."""
    keep(1, measured())
    (row,) = report(*SETS)["rows"]
    figure = row["derived"]["cost_per_million_output_tokens"]
    assert (figure["value"], figure["reason"]) == (None, "cases of this kind do not have it")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "cost.grid_gco2e=350"),
         ("--set cost.grid_gco2e: unknown key `cost.grid_gco2e`: "
          "did you mean `grid_gco2e_per_kwh`?")),
        (("--set", "costs.pue=1.2"),
         ("--set costs.pue: a report sets `cost.*` only, since all else was fixed when it was "
         "measured; did you mean `cost.pue`?")),
        (("--set", "measure.rounds=3"),
         ("--set measure.rounds: a report sets `cost.*` only, since all else was fixed when it was "
         "measured; known: cost.currency, cost.grid_gco2e_per_kwh, cost.price_per_kwh, cost.pue")),
        (("--set", "cost=3"),
         ("--set cost: a report sets `cost.*` only, since all else was fixed when it was measured; "
         "did you mean `cost.pue`?")),
        (("--set", "cost.pue=0"),
         "--set cost.pue: `cost.pue`: input should be greater than or equal to 1, not 0"),
        (("--set", "cost.pue"), "--set: write a setting as path=value, not 'cost.pue'"),
        (("--config", "none.yaml"),
         "cannot read the configuration none.yaml: No such file or directory"),
        (("--config", "other.yaml"),
         "--config: other.yaml has no section `cost`, and a report takes no other from it"),
        (("--config", "wrong.yaml"), "wrong.yaml:1: unknown key `costs`: did you mean `cost`?"),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(keep, model, said, *, arguments, sentence):
    """Nothing is reported with settings that were not understood."""
    keep(1, model())
    Path("other.yaml").write_text("measure: {rounds: 2}\n")
    Path("wrong.yaml").write_text("costs: {pue: 1.2}\ncost: {pue: 1.2}\n")
    status, out, (line,) = said("report", "latest", *arguments)
    assert (status, out) == (2, [])
    assert line.replace(f"{Path.cwd()}/", "") == sentence
