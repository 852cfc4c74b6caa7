"""vLLM, on CUDA or on a CPU."""

from pytest_lem.backends.vllm.backend import VllmBackend

__all__ = ["VllmBackend"]
