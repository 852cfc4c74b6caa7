"""What a model said, where chance has no part in it."""

from __future__ import annotations

from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.round import Measurement


def outputs_of(plan: InferPlan, measurement: Measurement) -> list[list[int]] | None:
    """Return the output ids of one repetition; None without greedy decoding, or without rounds."""
    if plan.workload.temperature > 0 or not measurement.rounds:
        return None
    count = sum(map(len, plan.workload.batches(plan.batch_size)))
    return [request["token_ids"] for request in measurement.rounds[0].requests[:count]]
