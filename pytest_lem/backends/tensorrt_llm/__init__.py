"""TensorRT-LLM on CUDA, through the LLM API of its releases 1.x."""

from pytest_lem.backends.tensorrt_llm.backend import TensorRtLlmBackend

__all__ = ["TensorRtLlmBackend"]
