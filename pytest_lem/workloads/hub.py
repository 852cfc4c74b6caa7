"""Datasets of the Hugging Face hub, where it can be reached."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pytest_lem.workloads.promptfile import data_error, texts_of


class HubDataset(NamedTuple):
    """Where prompts are on the hub."""

    id: str
    subset: str | None = None
    split: str = "train"
    revision: str | None = None
    column: str | None = None


#: Well-known ones by a short name.
NAMED = {
    "alpaca": HubDataset("tatsu-lab/alpaca", column="instruction"),
    "dolly": HubDataset("databricks/databricks-dolly-15k", column="instruction"),
    "gsm8k": HubDataset("openai/gsm8k", subset="main", column="question"),
    "humaneval": HubDataset("openai/openai_humaneval", split="test", column="prompt"),
}


@cache  # each case of a session asks anew
def hub_prompts(dataset: HubDataset) -> tuple[str, ...]:
    """Return the prompts of a dataset; what the hub sends is kept in the cache of its library.

    Raises LemError (`data`) when it cannot be had, or has a row without a prompt.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise data_error(
            f"the dataset {dataset.id} is of the Hugging Face hub, which needs the package "
            "datasets; run: python -m pip install 'pytest-lem[datasets]'"
        ) from error
    try:
        rows = datasets.load_dataset(
            dataset.id, dataset.subset, split=dataset.split, revision=dataset.revision
        )
    except Exception as error:  # a network, a hub and a library have many ways to fail
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise data_error(
            f"cannot get the dataset {dataset.id} ({reason}); see to the network and the name, or "
            "take a file or `lem-prompts`"
        ) from error
    named = ((f"{dataset.id}, row {number}", row) for number, row in enumerate(rows, 1))
    return tuple(texts_of(named, dataset.column))
