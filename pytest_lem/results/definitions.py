"""The metrics: names, units, which way is better. Their version is stamped into every file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pytest_lem.results.record import Metric, Statistic

DEFINITIONS_VERSION = "1.5"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a metric is."""

    unit: str
    direction: Literal["lower", "higher"] | None
    statistic: Statistic
    text: str

    def null(self, reason: str) -> Metric:
        """Return the metric without a value, with the reason."""
        return self.of(None, n=0, reason=reason)

    def of(self, value: float | None, *, n: int, **fields: Any) -> Metric:
        """Return the metric with a value."""
        return Metric(
            value=value,
            unit=self.unit,
            direction=self.direction,
            statistic=self.statistic,
            n=n,
            **fields,
        )


METRICS: dict[str, Definition] = {
    "energy_per_output_token_j": Definition(
        "J/token", "lower", "ratio_of_sums", "gross joules / output tokens of the same windows"
    ),
    "energy_per_input_token_j": Definition(
        "J/token", "lower", "ratio_of_sums", "gross joules / prompt tokens, prefill-only workloads"
    ),
    "energy_per_total_token_j": Definition(
        "J/token", "lower", "ratio_of_sums", "gross joules / (prompt + output tokens)"
    ),
    "energy_per_request_j": Definition(
        "J/request", "lower", "ratio_of_sums", "gross joules / completed requests"
    ),
    "energy_per_good_request_j": Definition(
        "J/request", "lower", "ratio_of_sums", "gross joules / requests that kept all limits"
    ),
    "energy_per_call_j": Definition("J/call", "lower", "ratio_of_sums", "gross joules / calls"),
    "energy_per_unit_j": Definition(
        "J/unit", "lower", "ratio_of_sums", "gross joules / units of work that the test stated"
    ),
    "energy_net_per_output_token_j": Definition(
        "J/token", "lower", "ratio_of_sums", "(joules - idle power x time) / output tokens"
    ),
    "energy_net_per_call_j": Definition(
        "J/call", "lower", "ratio_of_sums", "(joules - idle power x time) / calls"
    ),
    "energy_total_j": Definition(
        "J", "lower", "sum", "gross joules of all measured domains (GPUs, packages, memory)"
    ),
    "power_idle_w": Definition(
        "W", None, "mean", "power at rest, the model loaded, before and after the rounds"
    ),
    "power_mean_w": Definition("W", None, "ratio_of_sums", "gross joules / seconds of the windows"),
    "power_peak_w": Definition(
        "W", None, "maximum", "largest sampled power in the windows, summed over the devices"
    ),
    "prefill_energy_j": Definition(
        "J/request", "lower", "ratio_of_sums", "joules of a prefill-only run / its requests"
    ),
    "decode_energy_j": Definition(
        "J/request", "lower", "ratio_of_sums", "joules per request - those of the prefill"
    ),
    "edp_request_js": Definition(
        "J*s", "lower", "product", "joules per request x mean end-to-end latency"
    ),
    "edp_run_js": Definition("J*s", "lower", "product", "joules of all windows x their seconds"),
    "output_throughput_tok_s": Definition(
        "token/s", "higher", "ratio_of_sums", "output tokens / seconds of the windows"
    ),
    "total_throughput_tok_s": Definition(
        "token/s", "higher", "ratio_of_sums", "(prompt + output tokens) / seconds of the windows"
    ),
    "request_throughput_req_s": Definition(
        "request/s", "higher", "ratio_of_sums", "completed requests / seconds of the windows"
    ),
    "unit_throughput_per_s": Definition(
        "unit/s", "higher", "ratio_of_sums", "units of work / seconds of the windows"
    ),
    "goodput_req_s": Definition(
        "request/s", "higher", "ratio_of_sums", "requests that kept all their limits / seconds"
    ),
    "arrival_rate_req_s": Definition(
        "request/s", None, "ratio_of_sums", "requests that were due in the windows / seconds"
    ),
    "request_failure_rate": Definition(
        "1", "lower", "ratio_of_sums", "failed requests / those that were due in the windows"
    ),
    "dispatch_lateness_s": Definition("s", "lower", "median", "request sent - request due"),
    "requests_running": Definition(
        "1", None, "mean", "requests that the engine worked on at a time, as it tells"
    ),
    "requests_waiting": Definition(
        "1", "lower", "mean", "requests that waited in the engine at a time, as it tells"
    ),
    "call_duration_s": Definition("s", "lower", "ratio_of_sums", "seconds of the windows / calls"),
    "ttft_s": Definition("s", "lower", "median", "first token there - request dispatched, or due"),
    "tpot_s": Definition("s", "lower", "median", "(E2E - TTFT) / (output tokens - 1), per request"),
    "itl_s": Definition("s", "lower", "median", "gaps between tokens, pooled over requests"),
    "e2e_latency_s": Definition(
        "s", "lower", "median", "last token there - request dispatched, or due in an open loop"
    ),
    "queue_time_s": Definition("s", "lower", "median", "the request waited in the engine"),
    "peak_host_memory_bytes": Definition(
        "B",
        "lower",
        "maximum",
        "largest resident set of the host process; of several processes their sum",
    ),
    "peak_device_memory_bytes": Definition(
        "B", "lower", "maximum", "largest memory allocated on the devices in use"
    ),
    "peak_board_memory_bytes": Definition(
        "B", "lower", "maximum", "largest sampled memory in use on the boards, by whomever"
    ),
    "mean_board_memory_bytes": Definition(
        "B", "lower", "mean", "mean sampled memory in use on the boards, by whomever"
    ),
    "gpu_utilisation": Definition("1", None, "mean", "share of time with a kernel on the device"),
    "kv_cache_utilisation": Definition("1", None, "maximum", "largest share of the KV cache used"),
    "prefix_cache_hit_rate": Definition("1", "higher", "ratio_of_sums", "prompt tokens from cache"),
    "preemptions": Definition("1", "lower", "sum", "times that the engine put a request back"),
    "batch_occupancy": Definition("1", "higher", "mean", "requests running together / batch size"),
    "process_wait_share": Definition(
        "1",
        "lower",
        "ratio_of_sums",
        "of the seconds of all processes those in which one waited for another, or for its work",
    ),
    "perplexity": Definition(
        "1", "lower", "mean", "exp of the mean of -ln(probability) over the tokens of a fixed text"
    ),
    "flops_per_token": Definition(
        "FLOP/token",
        None,
        "ratio_of_sums",
        "of an output token: 2 x parameters of the matrices that it is multiplied with (of experts "
        "the active ones; output head counted, embedding not) + 4 x layers x heads x head size x "
        "(prompt + output / 2)",
    ),
    "flop_throughput_per_s": Definition(
        "FLOP/s",
        "higher",
        "ratio_of_sums",
        "FLOPs of all prompt and output tokens that were computed in the windows / their seconds",
    ),
    "mfu": Definition(
        "1",
        "higher",
        "ratio_of_sums",
        "flop_throughput_per_s / dense peak FLOP/s of the boards in the precision of the products",
    ),
    "energy_per_flop_j": Definition(
        "J/FLOP", "lower", "ratio_of_sums", "gross joules / FLOPs of the same windows"
    ),
    "energy_per_output_token_and_parameter_j": Definition(
        "J/token",
        "lower",
        "ratio_of_sums",
        "energy_per_output_token_j / parameters that an output token is multiplied with",
    ),
}

#: What a gate may fail a test on. Not: what is derived from an idle power or an assumption, sums,
#: percentiles of few samples, utilisation and temperature.
GATEABLE = (
    "energy_per_output_token_j",
    "energy_per_input_token_j",
    "energy_per_request_j",
    "energy_per_good_request_j",
    "energy_per_call_j",
    "energy_per_unit_j",
    "output_throughput_tok_s",
    "request_throughput_req_s",
    "goodput_req_s",
    "unit_throughput_per_s",
    "call_duration_s",
    "ttft_s",
    "tpot_s",
    "peak_host_memory_bytes",
    "peak_device_memory_bytes",
    "perplexity",
)
#: Those that come out the same in every session, so that a plain ratio decides.
EXACT = frozenset({"peak_device_memory_bytes", "perplexity"})
