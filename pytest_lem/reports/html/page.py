"""The page: its parts in the order in which a reader needs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from string import Template

from pytest_lem.flags import explained
from pytest_lem.reports.html.cases import cases
from pytest_lem.reports.html.chart import Chart
from pytest_lem.reports.html.configuration import own_configuration, shared_configuration
from pytest_lem.reports.html.detail import detail
from pytest_lem.reports.html.heading import heading
from pytest_lem.reports.html.heatmap import heatmaps
from pytest_lem.reports.html.library import charting_script
from pytest_lem.reports.html.markup import Markup, element, joined
from pytest_lem.reports.html.serving import load_curves
from pytest_lem.reports.html.trade import trade_offs
from pytest_lem.reports.html.values import counted
from pytest_lem.reports.html.verdicts import comparison
from pytest_lem.reports.html.view import Material, View, views_of

#: Stretches of time into which a series is cut, of each of which two samples are drawn: as many
#: as a wide screen has room for, and fewer where a run has so many series that the page grows.
_MOST_BUCKETS, _LEAST_BUCKETS = 400, 60
_BUCKETS_OF_A_PAGE = 200_000
#: Columns of a device that are drawn.
_COLUMNS = 4


def html_page(material: Material) -> str:
    """Return the whole page. Raises LemError (`config`) without the charting library."""
    script = charting_script()  # first: nothing else is worth the time without it
    views = views_of(material)
    title = element("title", f"Energy report of {material.run_file.run.id}")
    return Template(_asset("page.html")).substitute(
        title=title,
        style=_asset("page.css"),
        body=joined(_parts(material, views)),
        library=script,
        script=_asset("page.js"),
    )


def _parts(material: Material, views: Sequence[View]) -> Iterator[Markup | None]:
    yield heading(material.run_file, views)
    yield _warnings(views)
    yield cases(views)
    yield _charts("Energy and speed", "trade", trade_offs(views))
    if material.gate is not None:
        yield comparison(material.gate)
    yield _charts("Batch size and precision", "heat", heatmaps(views))
    yield _charts("Energy under load", "load", load_curves(views))
    yield _details(material, views)
    yield shared_configuration(views)


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
    curves = sampled * _COLUMNS * max(1, len(material.run_file.devices))
    buckets = max(_LEAST_BUCKETS, min(_MOST_BUCKETS, _BUCKETS_OF_A_PAGE // max(1, curves)))
    parts = [
        detail(
            view,
            read=material.read,
            past=material.past.get(view.record.case.digest, ()),
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
