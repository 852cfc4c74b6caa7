"""What users import."""

from tensorrt_llm.llmapi.llm import LLM
from tensorrt_llm.llmapi.llm_args import (
    CapacitySchedulerPolicy,
    CudaGraphConfig,
    KvCacheConfig,
    QuantAlgo,
    QuantConfig,
    SchedulerConfig,
    TorchLlmArgs,
)
from tensorrt_llm.llmapi.outputs import CompletionOutput, RequestOutput
from tensorrt_llm.llmapi.sampling import SamplingParams

__all__ = [
    "LLM",
    "CapacitySchedulerPolicy",
    "CompletionOutput",
    "CudaGraphConfig",
    "KvCacheConfig",
    "QuantAlgo",
    "QuantConfig",
    "RequestOutput",
    "SamplingParams",
    "SchedulerConfig",
    "TorchLlmArgs",
]
