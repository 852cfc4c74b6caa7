"""What a test sees of a measured language model."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lem.results.record import Metric, Record


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """What a test sees of a measured language model. A value that is unknown is None."""

    record: Record

    def metric(self, name: str) -> Metric:
        """Return a metric with unit, uncertainty, tier and, when null, the reason."""
        return self.record.metrics[name]

    @property
    def output_tokens(self) -> int:
        """Return the output tokens of all rounds."""
        return sum(r.work.output_tokens or 0 for r in self.record.rounds)

    @property
    def requests(self) -> int:
        """Return the requests of all rounds."""
        return sum(r.work.requests or 0 for r in self.record.rounds)

    @property
    def text(self) -> str:
        """Return the text generated for the first request, cut to 400 characters."""
        return self.record.sample.text if self.record.sample else ""

    @property
    def energy_per_output_token_j(self) -> float | None:
        """Return gross joules per output token."""
        return self.metric("energy_per_output_token_j").value

    @property
    def energy_per_request_j(self) -> float | None:
        """Return gross joules per request."""
        return self.metric("energy_per_request_j").value

    @property
    def output_throughput_tok_s(self) -> float | None:
        """Return output tokens per second of the windows."""
        return self.metric("output_throughput_tok_s").value

    @property
    def ttft_s(self) -> float | None:
        """Return the median time to the first token."""
        return self.metric("ttft_s").value

    @property
    def tpot_s(self) -> float | None:
        """Return the median time per output token after the first."""
        return self.metric("tpot_s").value

    @property
    def e2e_latency_s(self) -> float | None:
        """Return the median end-to-end latency."""
        return self.metric("e2e_latency_s").value
