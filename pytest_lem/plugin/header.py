"""What is printed before the tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lem.config.resolve import Resolved
from pytest_lem.plugin.options import given
from pytest_lem.reports.figures import counted, duration

if TYPE_CHECKING:
    from pytest_lem.plugin.session import LemSession

#: What takes less is not worth a word.
_LEAST_S = 1.0


def header_line(session: LemSession) -> str:
    """Return how it is measured, and below that what becomes of a sweep, if there is one."""
    lines = [_method(session)]
    if session.earlier:
        lines.append(f"lem: {session.earlier.title}")
    if session.judging:
        lines.append(f"lem: {session.judging.title}")
    if session.pair_judging:
        lines.append(f"lem: {session.pair_judging.title}")
    if given(session.config, "sweep"):
        from pytest_lem.plugin.sweep import sweep_of

        sweep = sweep_of(session.config)
        lines += sweep.lines() if sweep else []
    return "\n".join(lines)


def _method(session: LemSession) -> str:
    """Return the preset, the meters and, where energy is only estimated, why."""
    if session.is_off:
        return "lem: off, tests run once and nothing is measured"
    measure = session.base.settings.measure
    chosen = f"{session.base.settings.preset} preset"
    if session.base.origins["preset"] == "default":
        chosen += " (by default)"
    # How many pairs there are, the line about them says.
    count = "windows" if session.pair_judging else counted(measure.rounds, "window")
    plan = f"{count} of at least {measure.min_window_s:g} s"
    if session.planned_s >= _LEAST_S:
        plan += f", {duration(session.planned_s)} or more for {counted(session.tests, 'test')}"
    return f"lem: {chosen}, {plan}; energy {session.panel.tier}: {session.panel.sentence}"


def effective_lines(resolved: Resolved) -> list[str]:
    """Return every setting in force with its origin, one a line."""
    values = _flat(resolved.settings.model_dump())
    width = max(len(name) for name in values)
    return [
        f"  {name:<{width}}  {value!r}  ({resolved.origins[name]})"
        for name, value in sorted(values.items())
    ]


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
