"""How weights are counted and told apart by what they store."""

from __future__ import annotations

import pytest
import torch
from torch.testing._internal.two_tensor import TwoTensor

from pytest_lem.backends.transformers.weights import is_quantised, stored_as, weights_by_module


def test_a_shared_weight_counts_once() -> None:
    """Embeddings that are also the output layer are not two sets of weights."""
    model = torch.nn.Sequential(torch.nn.Embedding(8, 4), torch.nn.Linear(4, 8, bias=False))
    model[1].weight = model[0].weight

    assert weights_by_module(torch, model) == {"Embedding": {"float32": 32}}


def test_mixed_types_are_told_apart() -> None:
    """Modules of one class may hold several types."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).to(torch.bfloat16))

    assert weights_by_module(torch, model) == {"Linear": {"float32": 6, "bfloat16": 6}}


def _holding(tensor: torch.Tensor, *, is_weight: bool) -> torch.nn.Module:
    module = torch.nn.Module()
    if is_weight:
        module.weight = torch.nn.Parameter(tensor, requires_grad=False)
    else:
        module.register_buffer("table", tensor)
    return module


@pytest.mark.parametrize("is_weight", [True, False])
@pytest.mark.parametrize(
    ("tensor", "is_small"),
    [
        (torch.zeros(4, 4, dtype=torch.int8), True),
        (torch.zeros(4, 4, dtype=torch.uint8), True),
        (torch.zeros(4, 4, dtype=torch.int32), True),
        (torch.zeros(4, 4, dtype=torch.float8_e4m3fn), True),
        (TwoTensor(torch.zeros(4, 4), torch.zeros(4, 4)), False),
        (torch.zeros(4, 4, dtype=torch.float16), False),
        (torch.zeros(4, 4, dtype=torch.int64), False),
        (torch.zeros(4, 4, dtype=torch.bool), False),
        (torch.zeros(4, dtype=torch.int8), False),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_quantised_modules_are_known_by_what_they_store(
    tensor: torch.Tensor, is_small: bool, is_weight: bool
) -> None:
    """Matrices in few bits, and neither masks nor positions nor single rows of numbers."""
    assert is_quantised(torch, _holding(tensor, is_weight=is_weight)) == is_small


def test_a_tensor_class_of_its_own_is_looked_into() -> None:
    """Libraries wrap what they store, and what they wrap looks like the type it stands for."""
    stored = TwoTensor(torch.zeros(4, 4), torch.zeros(4, 4))
    stored.a = torch.zeros(4, 4, dtype=torch.int8)

    assert stored.dtype == torch.float32
    assert is_quantised(torch, _holding(stored, is_weight=False))


def test_a_tensor_class_of_its_own_is_told_by_what_it_stores() -> None:
    """It has as many numbers as it stands for, in the type of those that are inside."""
    stored = TwoTensor(torch.zeros(4, 4), torch.zeros(4, 4))
    assert stored_as(torch, stored) == ("float32", 16)

    stored.a = torch.zeros(4, 4, dtype=torch.int8)
    assert stored_as(torch, stored) == ("int8", 16)


def test_numbers_that_share_a_byte_are_counted_one_by_one() -> None:
    """Sixteen numbers in eight bytes have four bits each."""
    stored = TwoTensor(torch.zeros(4, 4), torch.zeros(4, 4))
    stored.a = torch.zeros(4, 2, dtype=torch.uint8)

    assert stored_as(torch, stored) == ("int4", 16)


def test_matrices_packed_into_buffers_are_parameters_all_the_same() -> None:
    """GPTQ and AWQ keep them there; a module says its shape and its bits."""
    packed = torch.nn.Module()
    packed.register_buffer("qweight", torch.zeros(2, 8, dtype=torch.int32))
    packed.in_features, packed.out_features, packed.bits = 16, 8, 4
    model = torch.nn.Sequential(packed, torch.nn.Linear(8, 2, bias=False))

    assert weights_by_module(torch, model) == {"Module": {"int4": 128}, "Linear": {"float32": 16}}
