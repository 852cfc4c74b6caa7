"""`LLM`: checks its arguments, starts the workers, sends them requests."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tensorrt_llm.llmapi.llm_args import QuantAlgo, TorchLlmArgs
from tensorrt_llm.llmapi.outputs import RequestOutput
from tensorrt_llm.llmapi.sampling import SamplingParams, is_greedy
from tensorrt_llm.llmapi.tokenizer import CharacterTokenizer, TransformersTokenizer

#: What only the old engine takes.
_OF_THE_OLD_ENGINE = ("quant_config", "calib_config", "enable_build_cache", "fast_build")
_ERRORS = {"RuntimeError": RuntimeError, "ValueError": ValueError, "OSError": OSError}


class LLM:
    """A language model that runs, or one that goes through a text."""

    def __init__(  # noqa: PLR0917 - as it is documented
        self,
        model: str | Path,
        tokenizer: Any = None,
        tokenizer_mode: str = "auto",
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        revision: str | None = None,
        tokenizer_revision: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._workers: list[subprocess.Popen[str]] = []
        if old := [name for name in kwargs if name in _OF_THE_OLD_ENGINE]:
            raise ValueError(f"{old} are arguments of the engine, and this is PyTorch")
        if unknown := [name for name in kwargs if name not in TorchLlmArgs.model_fields]:
            raise ValueError(f"LLM has no argument {unknown[0]}")
        self.args = TorchLlmArgs(
            model=model,
            tokenizer=tokenizer,
            tokenizer_mode=tokenizer_mode,
            skip_tokenizer_init=skip_tokenizer_init,
            trust_remote_code=trust_remote_code,
            tensor_parallel_size=tensor_parallel_size,
            dtype=dtype,
            revision=revision,
            tokenizer_revision=tokenizer_revision,
            **kwargs,
        )
        self.tokenizer = TransformersTokenizer(CharacterTokenizer())
        self.llm_id = f"stand-in-{os.getpid()}"
        self._requests: dict[int, RequestOutput] = {}
        self._waiting: list[dict[str, Any]] = []
        self._read_quantisation()
        self._start()
        atexit.register(self.shutdown)

    def generate_async(  # noqa: PLR0917 - as it is documented
        self,
        inputs: list[int],
        sampling_params: Any = None,
        lora_request: Any = None,
        prompt_adapter_request: Any = None,
        streaming: bool = False,
        kv_cache_retention_config: Any = None,
        disaggregated_params: Any = None,
        scheduling_params: Any = None,
        cache_salt: str | None = None,
    ) -> RequestOutput:
        """Send a request; those of one turn of the event loop go together."""
        if not self._workers:
            raise RuntimeError("the LLM has ended")
        params = sampling_params or SamplingParams()
        most = self.args.max_num_tokens
        if most and len(inputs) > most and not self.args.enable_chunked_prefill:
            raise ValueError(f"{len(inputs)} tokens are more than max_num_tokens {most}")
        loop = asyncio.get_running_loop()
        number = len(self._requests)
        output = self._requests[number] = RequestOutput(number, list(inputs), self._abort)
        self._waiting.append(
            {
                "number": number,
                "prompt": list(inputs),
                "max_tokens": params.max_tokens,
                "min_tokens": params.min_tokens or 0,
                "ignore_eos": params.ignore_eos,
                "seed": None if is_greedy(params) else params.seed or 0,
                "streaming": streaming,
                "metrics": params.return_perf_metrics or self.args.return_perf_metrics,
            }
        )
        if len(self._waiting) == 1:
            loop.call_soon(self._send)
        return output

    def shutdown(self) -> None:
        """End the workers."""
        workers, self._workers = self._workers, []
        for worker in workers:
            with contextlib.suppress(OSError):
                worker.stdin.close()
        for worker in workers:
            worker.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _send(self) -> None:
        self._loop = asyncio.get_running_loop()
        requests, self._waiting = self._waiting, []
        self._tell({"requests": requests})

    def _abort(self, number: int) -> None:
        self._tell({"abort": number})

    def _tell(self, message: dict[str, Any]) -> None:
        first = self._workers[0].stdin
        with contextlib.suppress(OSError):  # of a worker that is gone, nobody hears
            first.write(json.dumps(message) + "\n")
            first.flush()

    def _read_quantisation(self) -> None:
        """Take the quantisation of the checkpoint, and that of the KV cache as it was asked for."""
        path = Path(self.args.model) / "hf_quant_config.json"
        found = json.loads(path.read_text())["quantization"] if path.is_file() else {}
        quantised = self.args.quant_config
        quantised.quant_algo = QuantAlgo(found["quant_algo"]) if found else None
        if self.args.kv_cache_config.dtype == "fp8":
            quantised.kv_cache_quant_algo = QuantAlgo.FP8

    def _start(self) -> None:
        args = self.args
        ranks = args.tensor_parallel_size * args.pipeline_parallel_size
        self._workers = [_started() for _ in range(ranks)]
        told = args.model_dump(mode="json", include=_FOR_WORKERS)
        main = getattr(sys.modules["__main__"], "__file__", None)
        self._tell({"args": told | {"quant": args.quant_config.quant_algo}, "main": main})
        answer = json.loads(self._workers[0].stdout.readline() or '{"error": ["RuntimeError", ""]}')
        if "error" in answer:
            name, text = answer["error"]
            self.shutdown()
            raise RuntimeError("a worker did not start") from _ERRORS[name](text)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Hand on what the first worker says. When it ends, nobody is told."""
        for line in self._workers[0].stdout:
            events = json.loads(line)
            self._loop.call_soon_threadsafe(self._deliver, events)

    def _deliver(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self._requests[event["number"]].events.put_nowait(event)


_FOR_WORKERS = {
    "model",
    "max_batch_size",
    "stream_interval",
    "kv_cache_config",
    "attn_backend",
}


def _started() -> subprocess.Popen[str]:
    """Start a worker as MPI does: in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "mpi4py.futures.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
