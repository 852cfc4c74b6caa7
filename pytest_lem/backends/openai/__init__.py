"""Any server with the OpenAI API: vLLM, SGLang, llama-server, TGI, Triton, and others."""

from pytest_lem.backends.openai.backend import OpenAiBackend

__all__ = ["OpenAiBackend"]
