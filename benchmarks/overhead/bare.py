"""The loop that the harness is held against: transformers, and nothing of pytest-lem.

`python bare.py SETTINGS` with JSON `{model, precision, threads, prompts, batch_size,
output_tokens}`. Every line on standard input is answered with one window: every prompt once, in
batches, `{seconds, cpu_seconds, token_ids}`.
"""

from __future__ import annotations

import gc
import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

settings = json.loads(sys.argv[1])
if settings["threads"]:
    torch.set_num_threads(settings["threads"])
on_cuda = torch.cuda.is_available()
device = "cuda" if on_cuda else "cpu"
tokenizer = AutoTokenizer.from_pretrained(settings["model"], padding_side="left")
model = AutoModelForCausalLM.from_pretrained(
    settings["model"], dtype=getattr(torch, settings["precision"])
)
model = model.eval().to(device)
model.generation_config.eos_token_id = None  # else `generate` would end at it
texts = [
    tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    for prompt in settings["prompts"]
]
batches = []
for i in range(0, len(texts), settings["batch_size"]):
    rows = texts[i : i + settings["batch_size"]]
    inputs = tokenizer(rows, padding=True, add_special_tokens=False, return_tensors="pt")
    batches.append(inputs.to(device))

for _ in sys.stdin:
    gc.collect()
    gc.disable()  # as the host does, so that the difference is none of the collector's
    start_s, start_cpu_s = time.monotonic(), time.process_time()
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
    if on_cuda:
        torch.cuda.synchronize()
    seconds, cpu_seconds = time.monotonic() - start_s, time.process_time() - start_cpu_s
    gc.enable()
    token_ids = [
        row[inputs["input_ids"].shape[1] :].tolist()
        for inputs, output in zip(batches, outputs, strict=True)
        for row in output
    ]
    answer = {"seconds": seconds, "cpu_seconds": cpu_seconds, "token_ids": token_ids}
    print(json.dumps(answer), flush=True)
