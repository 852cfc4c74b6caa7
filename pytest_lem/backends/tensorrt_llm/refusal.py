"""Why TensorRT-LLM did not start, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lem.backends.host.failures import reason_of
from pytest_lem.backends.models import ModelSource
from pytest_lem.errors import FailureKind, LemError, config_error

_OUT_OF_MEMORY = ("out of memory", "insufficient gpu memory")
#: What is said where the hardware, or the model, cannot do what was asked.
_IMPOSSIBLE = ("not support", "unsupported", "are available, but", "requires sm")


def refused(error: Exception, source: ModelSource) -> LemError:
    """Return the error to raise for what starting an engine has raised.

    Where a worker failed, its own error is the cause of one that says no more than that.
    """
    chain = list(_causes(error))
    root = chain[-1]
    said = " ".join(map(str, chain)).lower()
    reason = reason_of(root)
    if any(words in said for words in _OUT_OF_MEMORY):
        return LemError(
            f"TensorRT-LLM ran out of GPU memory ({reason}): lower "
            "`backends.tensorrt_llm.free_gpu_memory_fraction`, `max_batch_size` or "
            "`max_num_tokens`, or take a smaller model",
            kind=FailureKind.OOM,
        )
    if isinstance(root, OSError):
        return LemError(f"cannot load the model {source.location}: {reason}", kind=FailureKind.DATA)
    if isinstance(root, ValueError | NotImplementedError):
        return config_error(f"TensorRT-LLM does not take these settings: {reason}")
    if any(words in said for words in _IMPOSSIBLE):
        return config_error(f"TensorRT-LLM cannot do this with this model on this GPU: {reason}")
    return LemError(
        f"TensorRT-LLM did not start ({type(root).__name__}: {reason}); its log has the traceback",
        kind=FailureKind.ENGINE,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what each was raised from, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__
