"""llama.cpp through its bindings xllamacpp."""

from pytest_lem.backends.llama_cpp.backend import LlamaCppBackend

__all__ = ["LlamaCppBackend"]
