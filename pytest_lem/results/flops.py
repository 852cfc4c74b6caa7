"""Arithmetic: how much of it was done, for what energy, and how near to the peak of the device.

Counted from the structure of the model, not measured: the useful arithmetic of matrices and
attention. What an engine computes beside it (padding, tokens computed twice, activations) is left
out, so that figures of engines compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_lem.measure.round import Measurement, Round
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.peaks import peak_of
from pytest_lem.results.pool import Pool, known_counts
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import expanded, ratio, ratio_scatter

_PER_TOKEN = "energy_per_output_token_j"  # noqa: S105 - a token of text
_NO_MODEL = "this kind of case has no model whose arithmetic could be counted"
_NO_LENGTHS = "it is not known how many tokens each request had"


class Arithmetic:
    """Floating-point operations of a model: a multiplication and an addition are two."""

    def __init__(self, structure: Mapping[str, Any]) -> None:
        self._body: int = structure["body_parameters"]
        self._head: int = structure["head_parameters"]
        # Of attention, for each token that is looked at: keys times query, weights times values.
        self._each: int = 4 * structure["heads"] * structure["head_size"]
        self._full: int = structure["full_layers"]
        self._windowed: int = structure["window_layers"]
        self._window: int = structure["window"] or 0

    @property
    def parameters(self) -> int:
        """Return how many parameters a generated token is multiplied with."""
        return self._body + self._head

    def prompt(self, input_tokens: int, cached_tokens: int = 0) -> float:
        """Return what a prompt takes: each token goes through the layers, but for cached ones."""
        through = max(input_tokens - cached_tokens, 0)
        attention = self._attention(input_tokens - through, input_tokens)
        return 2.0 * self._body * through + attention

    def answer(self, input_tokens: int, output_tokens: int) -> float:
        """Return what an answer takes beside its prompt.

        Each token comes out of the head; the first is made of the prompt, and nothing is made of
        the last, so that one token less goes through the layers.
        """
        through = output_tokens - 1
        products = self._body * through + self._head * output_tokens
        return 2.0 * products + self._attention(input_tokens, input_tokens + through)

    def output(self, input_tokens: int, output_tokens: int) -> float:
        """Return what the tokens of an output take, at a context from the prompt's length on."""
        last = input_tokens + output_tokens
        return 2.0 * self.parameters * output_tokens + self._attention(input_tokens, last)

    def _attention(self, first: int, last: int) -> float:
        """Return what attention takes from one length of the context to another."""
        full = (last**2 - first**2) / 2
        windowed = self._seen(last) - self._seen(first) if self._windowed else 0.0
        return self._each * (self._full * full + self._windowed * windowed)

    def _seen(self, length: int) -> float:
        """Return how many tokens all those before a length see through the window."""
        inside = min(length, self._window)
        return inside**2 / 2 + self._window * (length - inside)


def count_flops(measurement: Measurement) -> None:
    """Write into each round how much arithmetic its requests took, where that is known."""
    structure = measurement.applied.get("structure") or {}
    if "body_parameters" not in structure:
        return
    arithmetic = Arithmetic(structure)
    measurement.rounds[:] = [
        replace(r, work=replace(r.work, flops=_flops(arithmetic, r))) for r in measurement.rounds
    ]


def flop_metrics(
    pool: Pool,
    applied: Mapping[str, Any],
    devices: Mapping[str, Mapping[str, Any]],
    per_token: Metric,
) -> dict[str, Metric]:
    """Return the metrics of arithmetic, once `count_flops` has counted it.

    `per_token` is the energy per output token, `devices` are descriptions of boards by UUID.
    """
    structure = applied.get("structure") or {}
    flops = known_counts([r.work.flops for r in pool.rounds])
    if "body_parameters" not in structure or flops is None:
        reason = _why_not(structure)
        return {name: METRICS[name].null(reason) for name in _NAMES}
    arithmetic = Arithmetic(structure)
    rate = pool.rate("flop_throughput_per_s", lambda r: r.work.flops)
    return {
        "flops_per_token": _per_token(arithmetic, pool),
        "flop_throughput_per_s": rate,
        "mfu": _utilisation(pool, flops, *peak_of(applied, devices)),
        "energy_per_flop_j": pool.energy_over("energy_per_flop_j", lambda r: r.work.flops),
        "energy_per_output_token_and_parameter_j": _per_parameter(arithmetic, per_token),
    }


_NAMES = (
    "flops_per_token",
    "flop_throughput_per_s",
    "mfu",
    "energy_per_flop_j",
    "energy_per_output_token_and_parameter_j",
)


def _why_not(structure: Mapping[str, Any]) -> str:
    if not structure:
        return _NO_MODEL
    why = structure.get("reason")
    return f"the shapes of the model are not known: {why}" if why else _NO_LENGTHS


def _lengths(requests: Iterable[Mapping[str, Any]]) -> list[tuple[int, int, int]] | None:
    """Return of each request its tokens of prompt and output, and those out of a cache.

    None where one of them does not tell, or where there are none.
    """
    found = []
    for request in requests:
        given, made = request["input_tokens"], request["output_tokens"]
        if not given or not made:
            return None
        found.append((given, made, request.get("cached_tokens") or 0))
    return found or None


def _flops(arithmetic: Arithmetic, r: Round) -> float | None:
    """Return the arithmetic of a round.

    In traffic the requests are those that were due, and the tokens those that came within the
    window, so that each kind of token counts as it does on average in those requests.
    """
    lengths = _lengths(request for request in r.requests if request["error"] is None)
    if lengths is None or r.work.input_tokens is None or r.work.output_tokens is None:
        return None
    prompts = sum(arithmetic.prompt(given, cached) for given, _, cached in lengths)
    answers = sum(arithmetic.answer(given, made) for given, made, _ in lengths)
    given = sum(given for given, _, _ in lengths)
    made = sum(made for _, made, _ in lengths)
    return prompts * r.work.input_tokens / given + answers * r.work.output_tokens / made


def _per_token(arithmetic: Arithmetic, pool: Pool) -> Metric:
    lengths = _lengths(pool.answered) or []
    tokens = sum(made for _, made, _ in lengths)
    flops = sum(arithmetic.output(given, made) for given, made, _ in lengths)
    return METRICS["flops_per_token"].of(flops / tokens, n=len(lengths))


def _utilisation(pool: Pool, flops: list[float], peak: float | None, reason: str | None) -> Metric:
    definition = METRICS["mfu"]
    if peak is None:
        return definition.null(reason or "the peak of the device is not known")
    windows = [r.window_s for r in pool.rounds]
    scatter = ratio_scatter(flops, windows)
    u = expanded(None if scatter is None else scatter / peak)
    return definition.of(ratio(flops, windows) / peak, n=len(flops), u=u)


def _per_parameter(arithmetic: Arithmetic, per_token: Metric) -> Metric:
    definition = METRICS["energy_per_output_token_and_parameter_j"]
    if per_token.value is None:
        return definition.null(per_token.reason or "the energy per output token is not known")
    return definition.of(
        per_token.value / arithmetic.parameters,
        n=per_token.n,
        u=None if per_token.u is None else per_token.u / arithmetic.parameters,
        tier=per_token.tier,
        domains=per_token.domains,
    )
