"""Net energy: what is left above the power at rest. Reported, never gated."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.measure.idle import Device, Idle, device_of, idle_by_device, net_j
from pytest_lem.measure.round import Phase
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Count, Pool, known_counts, why_no_count
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import expanded, root_sum

_NET: dict[str, Count] = {
    "energy_net_per_output_token_j": lambda r: r.work.output_tokens,
    "energy_net_per_call_j": lambda r: r.work.calls,
}


def net_metrics(pool: Pool, phases: Sequence[Phase]) -> dict[str, Metric]:
    """Return power at rest and the net metrics; null where idle power was not measured."""
    idle = idle_by_device(phases)
    reason = pool.reason or _why_not(pool, idle)
    found = {"power_idle_w": _at_rest(pool, idle, reason)}
    for name, count in _NET.items():
        counts = known_counts([count(r) for r in pool.rounds])
        why = reason or (why_no_count(name) if counts is None else None)
        found[name] = METRICS[name].null(why) if why else _net(name, pool, idle, counts or [])
    return found


def _why_not(pool: Pool, idle: dict[Device, Idle]) -> str | None:
    needed = {device_of(e) for part in pool.chosen for e in part}
    return None if needed <= set(idle) else "idle power was not measured"


def _at_rest(pool: Pool, idle: dict[Device, Idle], reason: str | None) -> Metric:
    definition = METRICS["power_idle_w"]
    if reason:
        return definition.null(reason)
    rest = [idle[device_of(e)] for e in pool.chosen[0]]
    power_w = sum(i.power_w for i in rest)
    return definition.of(
        power_w,
        n=sum(w is not None for w in (rest[0].before_w, rest[0].after_w)),
        u=expanded(root_sum([i.u_w for i in rest]), pool.u_systematic(power_w)),
        tier=pool.tier,
        domains=pool.domains,
    )


def _net(name: str, pool: Pool, idle: dict[Device, Idle], counts: Sequence[float]) -> Metric:
    """Return net joules over a count: the uncertainty of the rest is common to all windows."""
    nets_j = [
        sum(net_j(r, e, idle) or 0.0 for e in part)
        for r, part in zip(pool.rounds, pool.chosen, strict=True)
    ]
    share = pool.share(counts, nets_j)
    window_s = sum(r.window_s for r in pool.rounds)
    rest_w = root_sum([idle[device_of(e)].u_w for e in pool.chosen[0]])
    rest_j = None if rest_w is None else rest_w * window_s / sum(counts)
    return METRICS[name].of(
        share.value_j,
        n=len(counts),
        u=expanded(share.u_random_j, rest_j, share.u_systematic_j),
        tier=pool.tier,
        domains=pool.domains,
    )
