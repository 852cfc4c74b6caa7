"""Hugging Face transformers: in one process, or copies of a model in several."""

from pytest_lem.backends.transformers.parallel import ParallelBackend as TransformersBackend

__all__ = ["TransformersBackend"]
