"""The tables of cases, one for each kind, which the page's script sorts and filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from pytest_lem.flags import text_of
from pytest_lem.gate.verdict import Verdict, worst
from pytest_lem.reports.figures import is_prefill, per_token
from pytest_lem.reports.html.markup import Markup, element, joined, path_like
from pytest_lem.reports.html.values import marks, number_cell
from pytest_lem.reports.html.verdicts import verdict
from pytest_lem.reports.html.view import View
from pytest_lem.results.record import Metric, Record

Find = Callable[[Record], Metric | None]


def _named(name: str) -> Find:
    return lambda record: record.metrics.get(name)


_REQUESTS: tuple[tuple[str, Find], ...] = (
    ("J/token", per_token),
    ("J/request", _named("energy_per_request_j")),
    ("J/good request", _named("energy_per_good_request_j")),
    ("token/s", _named("output_throughput_tok_s")),
    ("good request/s", _named("goodput_req_s")),
    ("TTFT", _named("ttft_s")),
    ("TPOT", _named("tpot_s")),
    ("E2E", _named("e2e_latency_s")),
    ("failed", _named("request_failure_rate")),
    ("power", _named("power_mean_w")),
    ("MFU", _named("mfu")),
)
_CALLS: tuple[tuple[str, Find], ...] = (
    ("J/call", _named("energy_per_call_j")),
    ("J/unit", _named("energy_per_unit_j")),
    ("s/call", _named("call_duration_s")),
    ("unit/s", _named("unit_throughput_per_s")),
    ("power", _named("power_mean_w")),
)
_CAPTIONS = {
    "infer": "Models, offline batches",
    "serve": "Models under traffic",
    "call": "Callables",
}
#: A column of these is left out where no row knows the figure; the others always stand there.
_ALWAYS = frozenset({"J/token", "token/s", "J/call", "s/call"})


def cases(views: Sequence[View]) -> Markup:
    """Return the section with the filter and a table for each kind of case."""
    title = element("h2", "Cases", id="cases-title")
    if not views:
        text = element("p", "No case was measured, so there is nothing to show.")
        return element("section", title, text, aria_labelledby="cases-title")
    kinds = list(dict.fromkeys(view.record.case.kind for view in views))
    tables = [_table(kind, [v for v in views if v.record.case.kind == kind]) for kind in kinds]
    return element("section", title, _bar(views), *tables, _key(), aria_labelledby="cases-title")


def _bar(views: Sequence[View]) -> Markup:
    """Return what filters the rows of all tables."""
    states = sorted({state for view in views for state in _states(view)})
    options = [element("option", "all", value=""), *(element("option", s, value=s) for s in states)]
    return element(
        "div",
        element(
            "label",
            "Filter ",
            element("input", type="search", id="filter", placeholder="words in a row, all of them"),
        ),
        element("label", "State ", element("select", *options, id="state")),
        element("output", f"{len(views)} of {len(views)} cases", id="count", for_="filter state"),
        class_="bar",
        role="search",
    )


def _table(kind: str, views: Sequence[View]) -> Markup:
    columns = [
        (name, find)
        for name, find in (_CALLS if kind == "call" else _REQUESTS)
        if name in _ALWAYS or any(_is_known(find(view.record)) for view in views)
    ]
    has_verdicts = any(view.comparisons for view in views)
    heads = [
        "case",
        *(["run"] if views[0].needs_run else []),
        *(name for name, _ in columns),
        *(["verdict"] if has_verdicts else []),
        "flags",
    ]
    body = [_row(view, [find for _, find in columns], has_verdicts) for view in views]
    return element(
        "div",
        element(
            "table",
            element("caption", _CAPTIONS.get(kind, kind)),
            element("thead", element("tr", *map(_head, heads))),
            element("tbody", *body),
            class_="cases",
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=f"table: {_CAPTIONS.get(kind, kind)}",
    )


def _head(name: str) -> Markup:
    sign = element("span", class_="arrow", aria_hidden="true")
    is_text = name in {"case", "run", "verdict", "flags"}
    return element(
        "th",
        element("button", name, sign, type="button"),
        scope="col",
        aria_sort="none",
        class_=None if is_text else "number",
        data_sort="text" if is_text else "number",
    )


def _row(view: View, finds: Sequence[Find], has_verdicts: bool) -> Markup:
    record = view.record
    name = element("a", path_like(view.name), href=f"#{view.anchor}")
    prompt = " (per prompt token)" if _has_prefill(record) else None
    cells = [element("th", marks(record), name, prompt, scope="row", data_value=view.name)]
    if view.needs_run:
        cells.append(element("td", view.run.id, class_="short"))
    cells += [number_cell(find(record)) for find in finds]
    if has_verdicts:
        cells.append(element("td", verdict(_verdict(view)) if view.comparisons else None))
    cells.append(element("td", _flags(record)))
    states = " ".join(_states(view))
    return element("tr", *cells, data_states=states, class_="spoilt" if view.is_spoilt else None)


def _states(view: View) -> list[str]:
    """Return the words by which rows can be chosen."""
    record = view.record
    found: list[str] = [
        record.status,
        record.validity,
        *([said] if (said := _verdict(view)) else []),
    ]
    return [*found, *(["flagged"] if record.flags else [])]


def _verdict(view: View) -> str:
    return str(worst([Verdict(c.verdict) for c in view.comparisons])) if view.comparisons else ""


def _flags(record: Record) -> Markup:
    words = chain(record.reasons, record.flags)
    shown = (element("abbr", word, title=text_of(word), class_="flag") for word in words)
    return joined(chain.from_iterable((flag, " ") for flag in shown))


def _has_prefill(record: Record) -> bool:
    return record.case.kind != "call" and is_prefill(record)


def _is_known(metric: Metric | None) -> bool:
    return metric is not None and metric.value is not None


def _key() -> Markup:
    return element(
        "p",
        "± is the expanded uncertainty (k = 2) of one measurement, ±? is not known. ~ marks an "
        "estimate, ! a case that is not to be trusted, ✗ one that failed, ◌ one that was simulated "
        "or taken from an earlier run, — what is not known; the reason stands with it.",
        class_="key",
    )
