"""`model.generate` of transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def prepare(settings: dict[str, Any]) -> Callable[[], Any]:
    """Load the model and return what runs all batches."""
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(settings["model"], padding_side="left")
    dtype = getattr(torch, settings["precision"])
    model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=dtype).eval().to(device)
    model.generation_config.eos_token_id = None  # else `generate` would end at it
    batches = [batch.to(device) for batch in _batches(tokenizer, settings)]

    def generate() -> Any:
        with torch.inference_mode():
            outputs = [
                model.generate(
                    **inputs,
                    do_sample=False,
                    max_new_tokens=settings["output_tokens"],
                    pad_token_id=tokenizer.pad_token_id,
                )
                for inputs in batches
            ]
        if device == "cuda":
            torch.cuda.synchronize()
        return list(zip(batches, outputs, strict=True))

    return generate


def token_ids(outcome: Any) -> list[list[int]]:
    """Return the generated ids of every row."""
    return [
        row[inputs["input_ids"].shape[1] :].tolist() for inputs, output in outcome for row in output
    ]


def _batches(tokenizer: Any, settings: dict[str, Any]) -> list[Any]:
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        for prompt in settings["prompts"]
    ]
    size = settings["batch_size"]
    rows = [texts[i : i + size] for i in range(0, len(texts), size)]
    return [
        tokenizer(row, padding=True, add_special_tokens=False, return_tensors="pt") for row in rows
    ]
