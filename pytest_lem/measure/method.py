"""How a case is measured: the method's steps with their lengths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """The settings of `measure` that shape a case, as far as its machine can follow them.

    Attributes:
        rounds: windows.
        min_window_s: shorter work is repeated inside a window until it lasts so long.
        warmup_cv: variation of the last repetitions at which the warm-up ends.
        warmup_max_s: the latest end of the warm-up.
        warmup_calm_s: time for which temperatures have to stay within a degree.
        idle_s: length of the idle phases before and after the rounds; 0 without a sensor.
        max_delay_s: longest random rest before a round; 0 without a sensor.
        is_split: whether prefill is measured by itself as well.
        seed: of the rests.

    """

    rounds: int
    min_window_s: float = 0.0
    warmup_cv: float = 1.0
    warmup_max_s: float = 0.0
    warmup_calm_s: float = 0.0
    idle_s: float = 0.0
    max_delay_s: float = 0.0
    is_split: bool = False
    seed: int = 0
