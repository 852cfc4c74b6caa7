"""The page: its parts in the order in which a reader needs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from string import Template
from typing import ClassVar

from pytest_lem.flags import explained
from pytest_lem.reports.faces import encoded
from pytest_lem.reports.html.cases import cases
from pytest_lem.reports.html.chart import Chart
from pytest_lem.reports.html.configuration import own_configuration, shared_configuration
from pytest_lem.reports.html.detail import detail
from pytest_lem.reports.html.heading import heading
from pytest_lem.reports.html.heatmap import heatmaps
from pytest_lem.reports.html.markup import Markup, element, joined
from pytest_lem.reports.html.runs import over_runs
from pytest_lem.reports.html.script import charting_script
from pytest_lem.reports.html.serving import load_curves
from pytest_lem.reports.html.trade import trade_offs
from pytest_lem.reports.html.values import counted
from pytest_lem.reports.html.verdicts import comparison
from pytest_lem.reports.html.view import View, views_of
from pytest_lem.reports.material import Material

#: Stretches of time into which a series is cut, of each of which two samples are drawn: as many
#: as a wide screen has room for, and fewer where a run has so many series that the page grows.
_MOST_BUCKETS, _LEAST_BUCKETS = 400, 60
_BUCKETS_OF_A_PAGE = 200_000
#: Columns of a device that are drawn.
_COLUMNS = 4


class HtmlReport:
    """One page with charts that opens offline."""

    name: ClassVar = "html"
    requires: ClassVar[tuple[str, ...]] = ("plotly",)
    install: ClassVar = "pip install 'pytest-lem[html]'"
    follows: ClassVar[tuple[str, ...]] = ()
    is_printable: ClassVar = False

    def render(self, material: Material) -> bytes:
        """Return the page."""
        return encoded(html_page(material))


def html_page(material: Material) -> str:
    """Return the whole page. Raises LemError (`config`) without the charting library."""
    script = charting_script()  # first: nothing else is worth the time without it
    views = views_of(material)
    title = element("title", f"Energy report of {', '.join(run.id for run in material.runs)}")
    return Template(_asset("page.html")).substitute(
        title=title,
        style=_asset("page.css"),
        body=joined(_parts(material, views)),
        library=script,
        script=_asset("page.js"),
    )


def _parts(material: Material, views: Sequence[View]) -> Iterator[Markup | None]:
    yield heading(material.runs, views)
    yield _warnings(views)
    yield cases(views)
    yield over_runs(material)
    yield _charts("Energy and speed", "trade", _of_each_run(trade_offs, views))
    for number, run in enumerate(material.runs, 1):
        if (gate := run.gate) is not None:
            yield comparison(gate, number, run.id if material.has_several_runs else None)
    yield _charts("Batch size and precision", "heat", _of_each_run(heatmaps, views))
    yield _charts("Energy under load", "load", _of_each_run(load_curves, views))
    yield _details(material, views)
    yield shared_configuration(views)


def _of_each_run(
    draw: Callable[[Sequence[View]], list[Chart]], views: Sequence[View]
) -> list[Chart]:
    """Return charts of one run each: what they compare was measured on one machine."""
    by_run: dict[str, list[View]] = {}
    for view in views:
        by_run.setdefault(view.run.id, []).append(view)
    if len(by_run) <= 1:
        return draw(views)
    return [
        replace(chart, title=f"{chart.title}, {run}")
        for run, own in by_run.items()
        for chart in draw(own)
    ]


def _warnings(views: Sequence[View]) -> Markup | None:
    """Explain once what is not to be trusted, and what limits the use of the figures."""
    total = len(views)
    reasons = Counter(reason for view in views for reason in view.record.reasons)
    flags = Counter(flag for view in views for flag in view.record.flags)
    failed = sum(view.record.status == "failed" for view in views)
    lines = [f"{failed} of {counted(total, 'case')} failed; each says why"] if failed else []
    for words in (reasons, flags):
        lines += [
            f"{explained(word)} ({n} of {counted(total, 'case')})"
            for word, n in sorted(words.items())
        ]
    if not lines:
        return None
    return element(
        "section",
        element("h2", "Before you use the figures", id="warnings-title"),
        element("ul", *(element("li", line) for line in lines), class_="reasons"),
        aria_labelledby="warnings-title",
    )


def _charts(title: str, name: str, charts: Sequence[Chart]) -> Markup | None:
    if not charts:
        return None
    return element(
        "section",
        element("h2", title, id=f"{name}-title"),
        *(chart.markup() for chart in charts),
        aria_labelledby=f"{name}-title",
    )


def _details(material: Material, views: Sequence[View]) -> Markup | None:
    if not views:
        return None
    settings = own_configuration(views)
    sampled = sum(view.record.series is not None for view in views)
    devices = max(len(run.run_file.devices) for run in material.runs)
    curves = sampled * _COLUMNS * max(1, devices)
    buckets = max(_LEAST_BUCKETS, min(_MOST_BUCKETS, _BUCKETS_OF_A_PAGE // max(1, curves)))
    parts = [
        detail(
            view,
            settings=settings[view.anchor],
            buckets=buckets,
        )
        for view in views
    ]
    return element(
        "section",
        element("h2", "Each case", id="details-title"),
        *parts,
        aria_labelledby="details-title",
    )


def _asset(name: str) -> str:
    folder = files("pytest_lem.reports.html") / "assets"
    return (folder / name).read_text(encoding="utf-8")
