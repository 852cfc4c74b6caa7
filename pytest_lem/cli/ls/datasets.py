"""`lem ls datasets`: where prompts can come from by a name."""

from __future__ import annotations

from typing import Any

from pytest_lem.cli.ls.listed import show_named
from pytest_lem.config.dataset import SYNTHETIC
from pytest_lem.workloads.dataset import KINDS, SHIPPED, shipped_prompts
from pytest_lem.workloads.hub import NAMED


def run(*, form: str) -> int:
    """Print each dataset; return 0."""
    rows = [*_shipped(), _synthetic(), *_on_hub()]
    show_named(form, list(rows[0]), rows, numbers=["prompts"])
    return 0


def _shipped() -> list[dict[str, Any]]:
    what = "written for this project, Apache-2.0; each of its kinds by dataset.kinds"
    kinds = [
        {
            "dataset": f"{SHIPPED}: {kind}",
            "prompts": len(shipped_prompts([kind])),
            "where": "here",
            "what": f'dataset.kinds=["{kind}"]',
        }
        for kind in KINDS
    ]
    total = len(shipped_prompts())
    return [{"dataset": SHIPPED, "prompts": total, "where": "here", "what": what}, *kinds]


def _synthetic() -> dict[str, Any]:
    what = "random words of a given distribution of lengths (dataset.lengths, dataset.tokens)"
    return {"dataset": SYNTHETIC, "prompts": None, "where": "here", "what": what}


def _on_hub() -> list[dict[str, Any]]:
    return [
        {
            "dataset": name,
            "prompts": None,
            "where": f"Hugging Face: {found.id}",
            "what": f"column {found.column} of the split {found.split}",
        }
        for name, found in NAMED.items()
    ]
