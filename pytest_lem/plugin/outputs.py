"""What a model said, where chance has no part in it."""

from __future__ import annotations

from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.round import Measurement


def outputs_of(plan: InferPlan, measurement: Measurement) -> list[list[int]] | None:
    """Return the output ids of one repetition; None without greedy decoding, or without rounds.

    A server gives no ids, and what traffic a window has is a matter of time.
    """
    is_told = plan.online is None and not plan.is_server
    if plan.workload.temperature > 0 or not measurement.rounds or not is_told:
        return None
    count = sum(map(len, plan.workload.batches(plan.batch_size)))
    return [request["token_ids"] for request in measurement.rounds[0].requests[:count]]
