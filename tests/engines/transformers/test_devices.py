"""Where a model can run, and where it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.backends.transformers.devices import as_asked, chosen_map, gpus, limits, uuids
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.errors import FailureKind, LemError

Load = Callable[..., tuple[TransformersBackend, dict[str, Any]]]


def _machine(boards: int) -> Any:
    """Return what of PyTorch tells of a machine with so many GPUs."""
    cuda = SimpleNamespace(
        is_available=lambda: boards > 0,
        device_count=lambda: boards,
        get_device_properties=lambda device: SimpleNamespace(uuid=f"uuid-of-{device}"),
    )
    return SimpleNamespace(cuda=cuda, __version__="2.13")


def test_device_is_where_the_weights_are(load: Load, tiny_model: Path) -> None:
    """`device: cpu` puts every parameter on the CPU and names no GPU."""
    backend, applied = load(tiny_model, device="cpu")

    assert {p.device.type for p in backend._model.parameters()} == {"cpu"}
    assert (applied["device"], applied["device_uuids"]) == ("cpu", [])


@pytest.mark.parametrize(
    ("boards", "options", "chosen"),
    [
        (0, {}, {"": "cpu"}),
        (2, {}, {"": "cuda:0"}),
        (2, {"device": "cpu"}, {"": "cpu"}),
        (2, {"device": "cuda"}, {"": "cuda:0"}),
        (2, {"device": "cuda:1"}, {"": "cuda:1"}),
        (2, {"device_map": "auto"}, "auto"),
        (2, {"device_map": {"": 1}}, {"": 1}),
        (
            0,
            {"device_map": {"model": "disk", "lm_head": "cpu"}},
            {"model": "disk", "lm_head": "cpu"},
        ),
    ],
)
def test_a_place_is_chosen_by_the_machine(boards: int, options: Any, chosen: Any) -> None:
    """`auto` takes the first GPU where there is one; what was asked for is never replaced."""
    assert chosen_map(_machine(boards), TransformersOptions(**options)) == chosen


@pytest.mark.parametrize(
    "options",
    [
        {"device": "cuda"},
        {"device_map": {"model": "cpu", "lm_head": 0}},
        {"device_map": "auto", "max_memory": {"0": "1GiB"}},
    ],
)
def test_cuda_that_is_not_there_is_refused(options: Any) -> None:
    """Asking for CUDA on a machine without it never falls back to the CPU."""
    with pytest.raises(
        LemError, match=r"names cuda.*sees no CUDA device; .* or take `cpu`"
    ) as caught:
        chosen_map(_machine(0), TransformersOptions(**options))

    assert caught.value.kind is FailureKind.CONFIG
    assert f"`backends.transformers.{[*options][-1]}`" in str(caught.value)


@pytest.mark.parametrize("options", [{"device": "cuda:2"}, {"device_map": {"": 2}}])
def test_a_board_beyond_the_last_is_refused(options: Any) -> None:
    """The sentence has the last one there is."""
    with pytest.raises(LemError, match="names cuda:2, but the last of 2 CUDA devices is cuda:1"):
        chosen_map(_machine(2), TransformersOptions(**options))


@pytest.mark.parametrize(
    ("asked", "found", "told"),
    [
        ("cuda", "cuda:1", "cuda"),
        ("cuda:1", "cuda:1", "cuda:1"),
        ("cuda:1", "cuda:0", "cuda:0"),
        (0, "cuda:0", 0),
        (1, "cuda:0", "cuda:0"),
        ("cuda", "cpu", "cpu"),
        ("cpu", "cpu", "cpu"),
        ("cpu", None, None),
        ("cuda", "cuda:0,cuda:1", "cuda:0,cuda:1"),
    ],
)
def test_a_device_is_told_as_it_was_asked_for(asked: Any, found: Any, told: Any) -> None:
    """`cuda` is met by any one GPU and 0 by `cuda:0`; what is not met is told as it is."""
    assert as_asked(asked, found) == told


def test_gpus_are_in_the_order_of_their_numbers() -> None:
    """Each once, and the tenth after the second."""
    places = ["cuda:10", "cpu", "cuda:2", "disk", "cuda:2"]

    assert gpus(places) == ["cuda:2", "cuda:10"]


def test_gpus_are_named_as_the_driver_names_them() -> None:
    """PyTorch leaves out what NVML has before a UUID."""
    assert uuids(_machine(2), ["cuda:1"]) == ["GPU-uuid-of-cuda:1"]


def test_limits_are_numbered_as_the_library_does() -> None:
    """JSON made texts of the numbers of GPUs."""
    options = TransformersOptions(device_map="auto", max_memory={"0": "1GiB", "cpu": 5})

    assert limits(options) == {0: "1GiB", "cpu": 5}
    assert limits(TransformersOptions()) is None


def test_this_machine_is_asked_for_real(load: Load, tiny_model: Path) -> None:
    """A board that this machine does not have is refused by what PyTorch says here."""
    with pytest.raises(LemError, match="CUDA device"):
        load(tiny_model, device=f"cuda:{torch.cuda.device_count()}")
