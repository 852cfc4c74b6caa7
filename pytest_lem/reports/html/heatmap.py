"""Batch size times precision: joules per token where both vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_lem.reports.figures import scaled
from pytest_lem.reports.html.chart import Chart, axis
from pytest_lem.reports.html.markup import label
from pytest_lem.reports.html.view import View, source_of
from pytest_lem.results.entry import flat_settings

_COST = "energy_per_output_token_j"
_SIDES = ("batch_size", "precision")
#: Follow from the batch size, so they do not tell two series apart.
_FOLLOW = frozenset({*_SIDES, "workload.prompts_sha256", "workload.requests"})

Cells = dict[tuple[str, int], list[float]]


def heatmaps(views: Sequence[View]) -> list[Chart]:
    """Return a map for each group of cases that agree in all but batch size and precision."""
    groups: dict[tuple[str, str], tuple[View, Cells]] = {}
    for view in views:
        metric, settings = view.record.metrics[_COST], view.record.case.settings
        if view.record.case.kind != "infer" or not metric.value or view.is_spoilt:
            continue
        if settings.batch_size is None:
            continue
        flat = flat_settings(settings)
        rest = repr(sorted((n, v) for n, v in flat.items() if n not in _FOLLOW))
        _, cells = groups.setdefault((rest, source_of(metric, view.record)), (view, {}))
        cells.setdefault((str(settings.precision), settings.batch_size), []).append(metric.value)
    return [
        _chart(view, source, cells)
        for (_, source), (view, cells) in groups.items()
        if all(len({place[side] for place in cells}) > 1 for side in (0, 1))
    ]


def _chart(view: View, source: str, cells: Cells) -> Chart:
    precisions = sorted({precision for precision, _ in cells})
    batches = sorted({batch for _, batch in cells})
    means = {place: sum(found) / len(found) for place, found in cells.items()}
    rows: list[list[Any]] = [[means.get((p, b)) for b in batches] for p in precisions]
    texts = [["—" if x is None else scaled(x, "J") for x in row] for row in rows]
    best = min(means, key=lambda place: means[place])
    worst = max(means, key=lambda place: means[place])
    settings = view.record.case.settings
    return Chart(
        title=f"J/token by batch and precision: {settings.backend}, {settings.model} ({source})",
        words=(
            f"From {scaled(means[best], 'J')}/token ({best[0]}, batch {best[1]}) to "
            f"{scaled(means[worst], 'J')}/token ({worst[0]}, batch {worst[1]}); {len(means)} of "
            f"{len(precisions) * len(batches)} combinations were measured."
        ),
        data=[
            {
                "type": "heatmap",
                "x": [str(batch) for batch in batches],
                "y": [label(precision) for precision in precisions],
                "z": rows,
                "text": texts,
                "texttemplate": "%{text}",
                "hovertemplate": "%{y}, batch %{x}: %{text}<extra></extra>",
                "colorscale": "Cividis",
                "xgap": 2,
                "ygap": 2,
                "colorbar": {"title": {"text": "J/token"}},
            }
        ],
        layout={
            "xaxis": axis("batch size", type="category"),
            "yaxis": axis("precision", type="category"),
        },
        height=160 + 60 * len(precisions),
    )
