"""This harness and `vllm bench serve`, by turns on one server: what they report must agree.

Both send the same prompts in the same order as plain completions to one vLLM server, evenly at the
same rate, with the same number of output tokens and prefix caching off. vLLM's benchmark counts
from its start, one gap before its first request, to the last answer, the harness in a window behind
a ramp, whose prompts come last for vLLM's benchmark: the rates are therefore shown over the span of
vLLM's benchmark as well. Differences are set beside how much each tool differs from itself.
Special tokens are sent as text: a token without any is the first one for vLLM's benchmark, and
none for the harness. The harness runs a second time without its looks at the server's metrics, to
show what they cost.

A benchmark, not a test. It exits 1 only where something could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from pytest_lem.backends.models import locate
from pytest_lem.backends.openai.options import OpenAiOptions
from pytest_lem.backends.openai.server import server_of
from pytest_lem.workloads.dataset import shipped_prompts

COMMAND = (
    f"{sys.executable} -m vllm.entrypoints.openai.api_server --model {{model}} --port {{port}} "
    "--dtype float32 --max-model-len 2048 --max-num-seqs 16 --no-enable-prefix-caching"
)
TOKENS = 24
RAMP = 3  # requests before the window
SPECIAL = '{"skip_special_tokens": false}'
#: Names in vLLM's result, in milliseconds but for the last two, and ours.
FIGURES = {
    "median_ttft_ms": "ttft_s",
    "median_tpot_ms": "tpot_s",
    "median_itl_ms": "itl_s",
    "output_throughput": "output_throughput_tok_s",
    "request_throughput": "request_throughput_req_s",
}
#: Ours that are of another span than theirs, and what they are called over theirs.
RATES = ("output_throughput_tok_s", "request_throughput_req_s")
_TO_THE_LAST = "{}, to the last answer"
_THEIRS = (
    "import argparse; from vllm.benchmarks.serve import add_cli_args, main; "
    "parser = argparse.ArgumentParser(); add_cli_args(parser); main(parser.parse_args())"
)
_OURS = """
import pytest

@pytest.mark.energy
def test_serve(inference):
    inference()
"""


class Place(NamedTuple):
    """Where files are, where the server is, and under which name it has the model."""

    folder: Path
    url: str
    model: str


def main() -> int:
    """Start the server, measure by turns, print the figures beside each other."""
    # GiB; on a CPU vLLM would take nearly all the memory for its KV cache.
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    asked = _arguments()
    source = locate(asked.model)
    server = server_of(OpenAiOptions(command=COMMAND), asked.model, source.location)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prompts = shipped_prompts(("chat",))
            lines = [json.dumps({"prompt": prompt}) + "\n" for prompt in prompts]
            (folder / "prompts.jsonl").write_text("".join(lines))
            (folder / "behind_ramp.jsonl").write_text("".join(lines[RAMP:] + lines[:RAMP]))
            (folder / "test_serve.py").write_text(_OURS)
            model = str(server.get("/v1/models")["data"][0]["id"])
            place = Place(folder, server.url, model)
            found = [
                {
                    "vllm bench serve": theirs(place, asked, turn),
                    "pytest-lem": ours(place, asked, turn, metrics="/metrics"),
                    "without looks": ours(place, asked, turn, metrics="null"),
                }
                for turn in range(asked.turns)
            ]
    finally:
        server.stop()
    _print(found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--rate", type=float, default=1.0, help="requests per second")
    parser.add_argument("--requests", type=int, default=40, help="of each turn")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def theirs(place: Place, asked: argparse.Namespace, turn: int) -> dict[str, float]:
    """Run vLLM's benchmark and return its figures, in seconds."""
    folder, url, model = place
    result = folder / "theirs.json"
    options = {
        "backend": "openai", "endpoint": "/v1/completions", "base-url": url, "model": model,
        "dataset-name": "custom", "dataset-path": str(folder / "behind_ramp.jsonl"),
        "custom-output-len": TOKENS, "num-prompts": asked.requests, "request-rate": asked.rate,
        "burstiness": 1_000_000,  # as good as even
        "extra-body": SPECIAL,
        "seed": turn, "temperature": 0, "result-dir": str(folder), "result-filename": result.name,
        "percentile-metrics": "ttft,tpot,itl",
    }  # fmt: skip
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    switches = ["--ignore-eos", "--skip-chat-template", "--save-result", "--disable-tqdm",
                "--disable-shuffle"]  # fmt: skip
    _run([sys.executable, "-c", _THEIRS, *flags, *switches])
    told = json.loads(result.read_text())
    figures = {
        our: told[their] / 1000 if their.endswith("_ms") else told[their]
        for their, our in FIGURES.items()
    }
    return figures | {_TO_THE_LAST.format(name): figures[name] for name in RATES}


def ours(place: Place, asked: argparse.Namespace, turn: int, *, metrics: str) -> dict[str, float]:
    """Run the harness and return its figures, in seconds."""
    folder, url, model = place
    result = folder / "ours.json"
    settings = {
        "backends.openai.url": url, "dataset.source": str(folder / "prompts.jsonl"),
        "workload.output_tokens": TOKENS, "workload.chat": "false", "traffic.arrivals": "constant",
        "backends.openai.metrics": metrics,
        "backends.openai.extra_body": SPECIAL,
        # Between two requests: those of the ramp are as many as vLLM's benchmark has last.
        "traffic.rate": asked.rate, "traffic.ramp_s": (RAMP - 0.5) / asked.rate, "seed": turn,
        "measure.rounds": 1,
        "measure.min_window_s": asked.requests / asked.rate, "measure.warmup_max_s": 0,
        "measure.idle_s": 0,
    }  # fmt: skip
    flags = [f"--lem-set={name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "pytest", str(folder), f"--rootdir={folder}", "-q"]
    _run(
        [*command, "--lem-backend=openai", f"--lem-model={model}", *flags,
         f"--lem-json={result}", f"--lem-store={folder / 'store'}"]
    )  # fmt: skip
    record = json.loads(result.read_text())["records"][0]
    figures = {name: record["metrics"][name]["value"] for name in FIGURES.values()}
    return figures | to_the_last_answer(record["rounds"][0]["requests"], asked.rate)


def to_the_last_answer(requests: list[dict[str, Any]], rate: float) -> dict[str, float]:
    """Return our rates over their span, for the requests that were due in the window.

    vLLM's benchmark waits for one gap before its first request, and divides by that too.
    """
    answered = [request for request in requests if request["error"] is None]
    first_s = min(request["scheduled"] for request in requests) - 1 / rate
    span_s = max(request["done"] for request in answered) - first_s
    counts = (sum(request["output_tokens"] for request in answered), len(answered))
    return {_TO_THE_LAST.format(n): count / span_s for n, count in zip(RATES, counts, strict=True)}


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} ... failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _print(found: list[dict[str, dict[str, float]]]) -> None:
    tools = list(found[0])
    print(f"{'figure':46}" + "".join(f"{tool:>30}" for tool in tools))
    for name in found[0][tools[0]]:
        columns = [[turn[tool][name] for turn in found] for tool in tools]
        print(f"{name:46}" + "".join(f"{_spread(column):>30}" for column in columns))


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.4g} [{min(values):.4g}, {max(values):.4g}]"


if __name__ == "__main__":
    sys.exit(main())
