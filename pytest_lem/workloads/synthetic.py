"""Prompts that are made up, with a given distribution of lengths."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import log, sqrt
from pathlib import Path

import numpy as np

from pytest_lem.config.dataset import DatasetSettings
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.prompt import Prompt

#: Of each at least one token comes, whatever the tokenizer.
_WORDS = """
river stone lamp winter garden engine paper bridge window harbour copper morning letter field
silver market thunder button candle orchard signal meadow ladder compass violet kettle anchor
marble feather basket tunnel cotton mirror island saddle pepper lantern planet ribbon shadow
""".split()  # noqa: SIM905 - forty lines otherwise


def synthetic(dataset: DatasetSettings, count: int) -> list[Prompt]:
    """Return prompts of random words, each with its length.

    Two begin alike by chance only: with the same word one pair in forty, with the same four one in
    2.5 million, so that a prefix cache finds next to nothing. The host cuts each to its length in
    tokens of the model; the same settings give the same prompts again. Raises LemError (`data`)
    where `lengths_file` cannot be read.
    """
    numbers = lengths(dataset, count)
    words = random.Random(dataset.seed)  # noqa: S311 - no secret
    return [Prompt(" ".join(words.choices(_WORDS, k=n + 1)), n) for n in numbers]


def lengths(dataset: DatasetSettings, count: int) -> list[int]:
    """Return the length of each prompt, in tokens."""
    found = _DRAW[dataset.lengths](dataset, np.random.default_rng(dataset.seed), count)
    most = dataset.most if dataset.most is not None else int(found.max())
    return [int(n) for n in np.clip(found, dataset.least, max(most, dataset.least))]


def _fixed(dataset: DatasetSettings, _: np.random.Generator, count: int) -> np.ndarray:
    return np.full(count, dataset.tokens)


def _uniform(dataset: DatasetSettings, rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(dataset.least, dataset.most or dataset.least, count, endpoint=True)


def _lognormal(dataset: DatasetSettings, rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw from the distribution with that mean and that CV."""
    variance = log(1 + dataset.cv**2)
    return np.rint(rng.lognormal(log(dataset.tokens) - variance / 2, sqrt(variance), count))


def _of_file(dataset: DatasetSettings, rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.choice(_read(Path(str(dataset.lengths_file)).expanduser()), count)


def _read(path: Path) -> list[int]:
    try:
        lines = path.read_text(encoding="utf-8").split()
        found = [int(line) for line in lines]
    except OSError as error:
        raise _data(
            f"cannot read {path} ({error.strerror}), the file of dataset.lengths_file"
        ) from error
    except ValueError as error:
        raise _data(
            f"{path} holds something else than one length on each line ({error})"
        ) from error
    if not found or min(found) < 1:
        raise _data(f"{path} needs lengths of 1 and more, and at least one of them")
    return found


def _data(sentence: str) -> LemError:
    return LemError(sentence, kind=FailureKind.DATA)


_DRAW: dict[str, Callable[[DatasetSettings, np.random.Generator, int], np.ndarray]] = {
    "fixed": _fixed,
    "uniform": _uniform,
    "lognormal": _lognormal,
    "file": _of_file,
}
