"""From the settings of a dataset to the prompts of a workload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_lem.config.dataset import DatasetSettings
from pytest_lem.config.models import Settings
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.dataset import KINDS, shipped_prompts, with_dataset
from pytest_lem.workloads.hub import NAMED, HubDataset, hub_prompts
from pytest_lem.workloads.workload import Workload


@pytest.fixture
def three(tmp_path: Path) -> str:
    """Return the path of a file with three prompts."""
    path = tmp_path / "my three.txt"
    path.write_text("one\ntwo\nthree\n")
    return str(path)


def with_(batch_size: int = 1, workload: Workload | None = None, **fields: Any) -> Workload:
    """Return a workload with the prompts of a dataset."""
    return with_dataset(workload or Workload(), DatasetSettings(**fields), batch_size)


def test_without_a_source_nothing_changes() -> None:
    """The workload is the very same, and so are the digests of older results."""
    workload = Workload()
    assert with_dataset(workload, DatasetSettings(), 4) is workload


def test_samples_are_the_requests_of_a_repetition(three: str) -> None:
    """In the order of the file; the batch size only divides them."""
    found = with_(2, source=three, samples=3)
    assert found.prompts == ("one", "two", "three")
    assert found.requests == 3
    assert [len(batch) for batch in found.batches(2)] == [2, 1]


def test_requests_stand_over_samples(three: str) -> None:
    """Two prompts, sent three times each."""
    found = with_(workload=Workload(requests=6), source=three, samples=2)
    (batch,) = found.batches(6)
    assert [prompt.text for prompt in batch] == ["one", "two"] * 3


def test_without_samples_as_many_are_taken_as_are_sent(three: str) -> None:
    """One batch, whose prompts repeat when the file is shorter."""
    assert with_(2, source=three).prompts == ("one", "two")
    (batch,) = with_(4, source=three).batches(4)
    assert [prompt.text for prompt in batch] == ["one", "two", "three", "one"]


def test_the_seed_decides_the_order(three: str) -> None:
    """The same seed gives the same order; all prompts are there, whatever it is."""
    orders = [with_(source=three, samples=3, shuffle=True, seed=seed).prompts for seed in range(20)]
    assert len(set(orders)) > 1
    assert {frozenset(order) for order in orders} == {frozenset({"one", "two", "three"})}
    assert orders[3] == with_(source=three, samples=3, shuffle=True, seed=3).prompts


def test_a_sample_is_drawn_from_all_prompts(three: str) -> None:
    """Shuffling comes before taking, so that each prompt can be the one."""
    found = {with_(source=three, samples=1, shuffle=True, seed=n).prompts for n in range(50)}
    assert found == {("one",), ("two",), ("three",)}


def test_fewer_prompts_than_asked_for_is_a_sentence(three: str) -> None:
    """Repeating them in silence would be another workload."""
    with pytest.raises(LemError, match=r"has 3 prompts, and 4 are asked for; lower") as caught:
        with_(source=three, samples=4)
    assert caught.value.kind is FailureKind.DATA


def test_a_workload_takes_the_name_of_its_dataset(three: str) -> None:
    """Unless it has one of its own; a name has no spaces."""
    assert with_(source=three).name == "my-three"
    assert with_(source="lem-prompts").name == "lem-prompts"
    assert with_(workload=Workload(name="mine"), source=three).name == "mine"


def test_the_shipped_prompts_are_many_and_of_several_kinds() -> None:
    """About two hundred, all different, with long ones among them; offline, in the package."""
    every = shipped_prompts()
    assert len(every) == len(set(every)) == sum(len(shipped_prompts([kind])) for kind in KINDS)
    assert 190 <= len(every) <= 220
    assert min(len(text.split()) for text in shipped_prompts(["long"])) > 400
    assert max(len(text.split()) for text in shipped_prompts(["chat"])) < 150


def test_kinds_choose_among_the_shipped_prompts() -> None:
    """In their own order."""
    code = shipped_prompts(["code"])
    assert with_(source="lem-prompts", kinds=["code"], samples=5).prompts == tuple(code[:5])


def test_kinds_are_of_the_shipped_prompts_alone(three: str) -> None:
    """A file has none that could be chosen."""
    with pytest.raises(LemError, match=r"dataset\.kinds is of `lem-prompts` alone"):
        with_(source=three, kinds=["code"])


@pytest.mark.parametrize("source", ["lem-promts", "prompts.doc", "a/b/c", "./here/prompts"])
def test_an_unknown_source_names_what_there_is(source: str) -> None:
    """A typing error gets the name that is near, the rest the list."""
    with pytest.raises(
        LemError, match=r"there is no dataset .*lem-prompts.* Hugging Face id as well"
    ):
        with_(source=source)


def test_a_hub_that_cannot_be_reached_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is told to stay offline, and the sentence says what to take instead."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(LemError, match=r"cannot get the dataset no/such .*or `lem-prompts`"):
        with_(source="no/such")


def test_a_dataset_of_the_hub_is_read_as_the_library_has_it(tmp_path: Path) -> None:
    """The library takes a folder like an id; part and column are those that were asked for."""
    (tmp_path / "test.jsonl").write_text('{"a": "no", "question": "why?"}\n')
    found = hub_prompts(HubDataset(str(tmp_path), split="test", column="question"))
    assert found == ("why?",)


def test_settings_go_over_what_is_known_of_a_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them reaches the library; what is left out is as it is known."""
    asked: list[HubDataset] = []
    monkeypatch.setattr(
        "pytest_lem.workloads.dataset.hub_prompts", lambda found: asked.append(found) or ("x",)
    )
    with_(source="gsm8k")
    with_(source="gsm8k", subset="socratic", split="test", revision="main", column="answer")
    with_(source="some/thing", revision="v1")
    assert asked == [
        NAMED["gsm8k"],
        HubDataset("openai/gsm8k", "socratic", "test", "main", "answer"),
        HubDataset("some/thing", revision="v1"),
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"samples": 3}, "samples needs dataset.source"),
        ({"source": "lem-prompts", "tokens": 3}, "tokens is of `source: synthetic` alone"),
        ({"source": "synthetic", "lengths": "file"}, "belong together"),
        ({"source": "synthetic", "lengths_file": "x"}, "belong together"),
        ({"source": "synthetic", "lengths": "uniform"}, "so it needs most"),
        ({"source": "synthetic", "least": 5, "most": 4}, "most 4 is below least 5"),
        ({"source": "synthetic", "cv": 0}, "greater than 0"),
        ({"source": "lem-prompts", "samples": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(fields: dict[str, Any], sentence: str) -> None:
    """Each with its reason."""
    with pytest.raises(ValidationError, match=sentence):
        DatasetSettings(**fields)


@pytest.mark.parametrize(
    ("workload", "dataset"),
    [({"prompts": ["a"]}, "lem-prompts"), ({"input_tokens": 5}, "synthetic")],
)
def test_prompts_have_one_source_and_one_length(workload: dict[str, Any], dataset: str) -> None:
    """Of two, one would be ignored."""
    with pytest.raises(ValidationError, match=r"take (one of them|workload.input_tokens) out"):
        Settings.model_validate({"workload": workload, "dataset": {"source": dataset}})
