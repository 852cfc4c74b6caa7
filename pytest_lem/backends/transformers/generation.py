"""What `generate` is told: of each workload its own, of a load's options the same in all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.workloads.workload import Workload


class Generation:
    """Makes configurations of `generate` for one load.

    None leaves anything open that `generate` would fill from the model's own configuration.
    """

    def __init__(
        self, options: TransformersOptions, *, pad_id: int, eos_ids: Collection[int]
    ) -> None:
        self._eos_ids = sorted(eos_ids)
        self._is_compiled = options.torch_compile
        self._fixed = {
            "use_cache": options.use_cache,
            "cache_implementation": options.cache_implementation,
            "pad_token_id": pad_id,
        }

    def of_workload(self, workload: Workload) -> Any:
        """Return the configuration of a workload's requests."""
        from transformers import GenerationConfig

        sampling: dict[str, Any] = {"do_sample": False}
        if workload.temperature > 0:
            sampling = {
                "do_sample": True,
                "temperature": workload.temperature,
                "top_p": workload.top_p,
                "top_k": 0,
            }
        return GenerationConfig(
            max_new_tokens=workload.output_tokens,
            min_new_tokens=workload.min_output_tokens,
            eos_token_id=None if workload.ignore_eos else self._eos_ids,
            **sampling,
            **self._fixed,
            **self._compiling(),
        )

    def of_probe(self, tokens: int) -> Any:
        """Return the configuration that gives so many tokens and hands out the cache.

        It is compiled as far as to tell that it is: into graphs, which run as they are. Code made
        of them would fit no workload.
        """
        from transformers import GenerationConfig

        return GenerationConfig(
            max_new_tokens=tokens,
            eos_token_id=None,
            do_sample=False,
            return_dict_in_generate=True,
            **self._fixed,
            **self._compiling(backend="eager", mode="default"),
        )

    def _compiling(self, **how: str) -> dict[str, Any]:
        from transformers import CompileConfig

        if not self._is_compiled:
            return {"disable_compile": True}
        config = CompileConfig(**how)
        # On a CPU `generate` compiles only when told by this name.
        config._compile_all_devices = True  # noqa: SLF001
        return {"compile_config": config}
