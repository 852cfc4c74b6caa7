"""`LLM.generate` of vLLM, everything in one process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ["VLLM_NO_USAGE_STATS"] = "1"


def prepare(settings: dict[str, Any]) -> Callable[[], Any]:
    """Load the model and return what runs all batches."""
    if settings["threads"]:
        os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    from vllm import LLM, SamplingParams

    llm = LLM(
        settings["model"],
        dtype=settings["precision"],
        enable_prefix_caching=False,
        distributed_executor_backend="uni",
        max_num_seqs=settings["batch_size"],
        **settings["options"],
    )
    params = SamplingParams(
        temperature=0.0, max_tokens=settings["output_tokens"], ignore_eos=True, detokenize=False
    )
    batches = _batches(llm.get_tokenizer(), settings)
    return lambda: [llm.generate(batch, params, use_tqdm=False) for batch in batches]


def token_ids(outcome: Any) -> list[list[int]]:
    """Return the generated ids of every request."""
    return [list(output.outputs[0].token_ids) for outputs in outcome for output in outputs]


def _batches(tokenizer: Any, settings: dict[str, Any]) -> list[list[dict[str, Any]]]:
    prompts = []
    for prompt in settings["prompts"]:
        message = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        prompts.append({"prompt_token_ids": ids})
    size = settings["batch_size"]
    return [prompts[i : i + size] for i in range(0, len(prompts), size)]
