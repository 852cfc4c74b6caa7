"""How a request is gone on with. All is given by name, and nothing else can be given."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import Any

#: Those whose default is None.
_UNSET = (
    "end_id", "pad_id", "bad", "bad_token_ids", "stop", "stop_token_ids", "embedding_bias",
    "logits_processor", "best_of", "top_k", "top_p", "top_p_min", "top_p_reset_ids", "top_p_decay",
    "seed", "temperature", "min_tokens", "beam_search_diversity_rate", "repetition_penalty",
    "presence_penalty", "frequency_penalty", "length_penalty", "early_stopping",
    "no_repeat_ngram_size", "min_p", "beam_width_array", "logprobs", "prompt_logprobs",
    "additional_model_outputs", "lookahead_config", "guided_decoding", "truncate_prompt_tokens",
)  # fmt: skip
_SET = {
    "max_tokens": 32, "include_stop_str_in_output": False, "apply_batched_logits_processor": False,
    "n": 1, "use_beam_search": False, "return_context_logits": False,
    "return_generation_logits": False, "exclude_input_from_output": True,
    "return_encoder_output": False, "return_perf_metrics": False, "ignore_eos": False,
    "detokenize": True, "add_special_tokens": True, "skip_special_tokens": True,
    "spaces_between_special_tokens": True,
}  # fmt: skip


def _check(self: Any) -> None:
    """Refuse a temperature that is documented to be above 0."""
    if self.temperature is not None and self.temperature <= 0:
        raise ValueError(f"a temperature is above 0, not {self.temperature}")


SamplingParams = make_dataclass(
    "SamplingParams",
    [
        (name, Any, field(default=default))
        for name, default in (dict.fromkeys(_UNSET) | _SET).items()
    ],
    kw_only=True,
    slots=True,
    namespace={"__post_init__": _check},
)


def is_greedy(params: Any) -> bool:
    """Tell whether the most likely token is taken: whatever the temperature, without the others."""
    return params.top_k in (None, 1) and params.top_p in (None, 0.0)
