"""From the settings of a dataset to the prompts of a workload."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pytest_lem.config.dataset import SYNTHETIC, DatasetSettings
from pytest_lem.errors import config_error, did_you_mean
from pytest_lem.workloads.hub import NAMED, HubDataset, hub_prompts
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.promptfile import READERS, data_error, read_prompts
from pytest_lem.workloads.workload import Workload

#: The prompts that ship with the project, a file for each kind.
SHIPPED = "lem-prompts"
KINDS = ("chat", "summarise", "code", "long")
_DATA = Path(__file__).parent / "data"


def with_dataset(workload: Workload, dataset: DatasetSettings, batch_size: int) -> Workload:
    """Return a workload with the prompts of a dataset; without a source it stays as it is.

    One that has no name of its own takes that of the dataset. Raises LemError: `config` for a
    source that nobody knows, `data` for one that cannot be used.
    """
    if dataset.source is None:
        return workload
    count = dataset.samples or workload.requests or batch_size
    prompts = _prompts(dataset, count)
    is_named = workload.name != Workload().name
    return replace(
        workload,
        name=workload.name if is_named else _name(dataset.source),
        prompts=tuple(prompt.text for prompt in prompts),
        prompt_tokens=tuple(p.tokens for p in prompts) if prompts[0].tokens else None,
        requests=workload.requests or dataset.samples,
    )


def shipped_prompts(kinds: Sequence[str] = KINDS) -> list[str]:
    """Return the prompts that ship with the project, of some kinds, those of a kind together."""
    return [
        text for kind in KINDS if kind in kinds for text in read_prompts(_DATA / f"{kind}.jsonl")
    ]


def _prompts(dataset: DatasetSettings, count: int) -> list[Prompt]:
    if dataset.source == SYNTHETIC:
        from pytest_lem.workloads.synthetic import synthetic

        return synthetic(dataset, count)
    texts = _texts(dataset)
    if dataset.samples and dataset.samples > len(texts):
        raise data_error(
            f"the dataset {dataset.source} has {len(texts)} prompts, and {dataset.samples} are "
            "asked for; lower dataset.samples"
        )
    if dataset.shuffle:
        random.Random(dataset.seed).shuffle(texts)  # noqa: S311 - no secret
    return [Prompt(text) for text in texts[:count]]


def _texts(dataset: DatasetSettings) -> list[str]:
    source = str(dataset.source)
    if dataset.kinds and source != SHIPPED:
        raise config_error(f"dataset.kinds is of `{SHIPPED}` alone; {source} has none")
    if source == SHIPPED:
        return shipped_prompts(dataset.kinds or KINDS)
    path = Path(source).expanduser()
    if path.suffix in READERS:
        return read_prompts(path, dataset.column)
    if found := _on_hub(dataset, source):
        return list(hub_prompts(found))
    known = [SHIPPED, SYNTHETIC, *NAMED]
    raise config_error(
        f"there is no dataset `{source}`: {did_you_mean(source, known)}; it can be a Hugging "
        f"Face id as well, or a file that ends in {', '.join(READERS)}"
    )


def _on_hub(dataset: DatasetSettings, source: str) -> HubDataset | None:
    """Return where a dataset is on the hub; what the settings say goes over what is known of it."""
    is_id = source.count("/") == 1 and not source.startswith(("/", ".", "~"))
    known = NAMED.get(source) or (HubDataset(source) if is_id else None)
    if known is None:
        return None
    said = {"subset": dataset.subset, "revision": dataset.revision, "column": dataset.column}
    if "split" in dataset.model_fields_set:
        said["split"] = dataset.split
    return known._replace(**{name: value for name, value in said.items() if value is not None})


def _name(source: str) -> str:
    """Return the source without folders and ending; a name has no spaces."""
    return Path(source).stem.replace(" ", "-")
