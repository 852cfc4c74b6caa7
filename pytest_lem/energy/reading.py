"""Joules of one domain over one window, with their uncertainty and the tier of their source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pytest_lem.flags import Flag, Reason, text_of


class Tier(StrEnum):
    """How good a source is, best first."""

    COUNTER = "counter"
    POWER = "power"
    ESTIMATED = "estimated"
    NONE = "none"


#: From the best to the worst.
TIERS = (Tier.COUNTER, Tier.POWER, Tier.ESTIMATED, Tier.NONE)


class Domain(StrEnum):
    """What a figure covers."""

    GPU = "gpu"
    PACKAGE = "package"
    DRAM = "dram"
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one device.

    Attributes:
        device: GPU UUID, `package-0`, `dram-0`, or `process-tree` for the estimate.
        value_j: joules, None when unknown; then `reason` says why.
        u_random_j: standard uncertainty of this window (k = 1), None when unknown.
        u_systematic_j: standard uncertainty of the source itself, the same in every window.
        bound_j: the true value, as far as the source itself is right, is certainly no farther
            away than this; None when nothing bounds it.
        code: why the value is unknown or not to be trusted, as a word, where there is one.
        flags: what limits the use of the value.

    """

    domain: Domain
    device: str
    tier: Tier
    value_j: float | None
    u_random_j: float | None = None
    u_systematic_j: float | None = None
    bound_j: float | None = None
    reason: str | None = None
    code: Reason | None = None
    flags: tuple[Flag, ...] = ()


def unknown(
    domain: Domain, device: str, tier: Tier, code: Reason, sentence: str | None = None
) -> Energy:
    """Return an energy without a value, with its reason as a word and as a sentence."""
    return Energy(
        domain=domain,
        device=device,
        tier=tier,
        value_j=None,
        reason=sentence or text_of(code),
        code=code,
    )


def headline(energies: list[Energy], *, on_gpu: bool) -> list[Energy]:
    """Choose what the main figure is made of: the device that did the work.

    A GPU's work is the GPUs' energy and nothing else. A CPU's work is packages and DRAM, or the
    estimate where those cannot be read. Tiers are never mixed.
    """
    if on_gpu:
        return [e for e in energies if e.domain is Domain.GPU]
    measured = [e for e in energies if e.domain in {Domain.PACKAGE, Domain.DRAM}]
    return measured or [e for e in energies if e.domain is Domain.ESTIMATE]
