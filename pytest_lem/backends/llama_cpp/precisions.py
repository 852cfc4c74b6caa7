"""Types of GGUF files: our names for them, and those that llama.cpp prints."""

from __future__ import annotations

#: By our name, what llama.cpp says of a file of that type.
_PRINTED = {
    "float32": "all F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "q8_0": "Q8_0",
    "q6_k": "Q6_K",
    "q5_k_m": "Q5_K - Medium",
    "q5_k_s": "Q5_K - Small",
    "q5_1": "Q5_1",
    "q5_0": "Q5_0",
    "q4_k_m": "Q4_K - Medium",
    "q4_k_s": "Q4_K - Small",
    "q4_1": "Q4_1",
    "q4_0": "Q4_0",
    "q3_k_l": "Q3_K - Large",
    "q3_k_m": "Q3_K - Medium",
    "q3_k_s": "Q3_K - Small",
    "q2_k": "Q2_K - Medium",
    "q2_k_s": "Q2_K - Small",
    "q2_0": "Q2_0",
    "q1_0": "Q1_0",
    "iq4_nl": "IQ4_NL - 4.5 bpw",
    "iq4_xs": "IQ4_XS - 4.25 bpw",
    "iq3_m": "IQ3_S mix - 3.66 bpw",
    "iq3_s": "IQ3_S - 3.4375 bpw",
    "iq3_xs": "IQ3_XS - 3.3 bpw",
    "iq3_xxs": "IQ3_XXS - 3.0625 bpw",
    "iq2_m": "IQ2_M - 2.7 bpw",
    "iq2_s": "IQ2_S - 2.5 bpw",
    "iq2_xs": "IQ2_XS - 2.3125 bpw",
    "iq2_xxs": "IQ2_XXS - 2.0625 bpw",
    "iq1_m": "IQ1_M - 1.75 bpw",
    "iq1_s": "IQ1_S - 1.5625 bpw",
    "tq2_0": "TQ2_0 - 2.06 bpw ternary",
    "tq1_0": "TQ1_0 - 1.69 bpw ternary",
    "mxfp4_moe": "MXFP4 MoE",
    "nvfp4": "NVFP4",
}
_OURS = {printed: name for name, printed in _PRINTED.items()}
_FLOATS = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}

#: `auto` is the type of the file, which is never converted.
PRECISIONS = ("auto", *_PRINTED)


def precision_of(printed: str) -> str:
    """Return our name for what llama.cpp says of a file; what is not known stays as it is.

    A file that does not state its type is known by its tensors, which llama.cpp calls a guess.
    """
    printed = printed.removeprefix("(guessed) ")
    return _OURS.get(printed, printed)


def type_name(printed: str) -> str:
    """Return our name for the type of a tensor, given that of ggml: `f16`, `GGML_TYPE_Q4_1`."""
    name = printed.removeprefix("GGML_TYPE_").lower()
    return _FLOATS.get(name, name)
