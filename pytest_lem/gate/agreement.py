"""Whether two sides said the same, where decoding is greedy."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

#: An id that the backend did not tell.
_UNTOLD = -1

#: The output ids of each request.
Outputs = Sequence[Sequence[int]]


def agreement(a: Outputs | None, b: Outputs | None) -> float | None:
    """Return the share of A's output, from its first token on, that B has as well.

    The mean over requests, the same prompts on both sides. After the first token that differs,
    everything may, so that nothing behind it counts. None where an output is not known.
    """
    if not a or not b or len(a) != len(b):
        return None
    return fmean(_common(x, y) / max(len(x), 1) for x, y in zip(a, b, strict=True))


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many ids agree before the first that do not; one that is not told differs not."""
    pairs = zip(a, b, strict=False)
    differing = (n for n, (x, y) in enumerate(pairs) if x != y and _UNTOLD not in {x, y})
    return next(differing, min(len(a), len(b)))
