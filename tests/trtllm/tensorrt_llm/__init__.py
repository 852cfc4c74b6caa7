"""A stand-in for TensorRT-LLM: the names of its LLM API, in releases 1.2, and none of its code.

It takes the arguments that the real classes document and refuses all others as these do, computes
in a worker process of its own, and hands out all tokens of a request each time there are more. The
model is a chain of characters. What goes wrong is asked for by `fault` in the model's
`config.json`, or by a prompt: see the worker, `mpi4py/futures/server.py`.
"""

import os

if reason := os.environ.get("TRTLLM_IMPORT_FAULT"):
    raise ImportError(reason)

import torch  # noqa: F401 - as the real one does

from tensorrt_llm.llmapi import LLM, SamplingParams

__version__ = "1.2.1"

__all__ = ["LLM", "SamplingParams"]
