"""Hugging Face transformers."""

from pytest_lem.backends.transformers.backend import TransformersBackend

__all__ = ["TransformersBackend"]
