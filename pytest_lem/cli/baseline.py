"""`lem baseline`: what a person decides about a history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_lem.cli.printing import complain, say
from pytest_lem.cli.reference import one_of, store_at
from pytest_lem.errors import FailureKind, LemError, did_you_mean
from pytest_lem.results.store import Store


def accept(name: str, run: str | None, *, cases: Sequence[str], store: Path) -> int:
    """Let cases that wait join a history, and print which; return 1 when one did not, else 0.

    Raises LemError for a history or a run that is not there.
    """
    home = store_at(store)
    saved = [path.stem for path in home.history(name)]
    if not saved:
        raise unknown_history(home, name)
    chosen = one_of(saved, run, f"sessions of {name}", "lem ls runs") if run else None
    joined = home.accept(name, chosen, list(cases))
    for key in joined:
        say(f"{key} joined {name}")
    if missed := [case for case in cases if case not in joined]:
        complain(f"not waiting in {name}: {', '.join(missed)}; see `lem ls baselines {name}`")
    elif not joined:
        where = f"session {chosen} of {name}" if chosen else name
        complain(f"nothing waits in {where}, so nothing was changed")
    return 0 if joined and not missed else 1


def unknown_history(store: Store, name: str) -> LemError:
    """Return that there is no such history, with a name that is near."""
    known = store.names()
    tail = did_you_mean(name, known) if known else "make it with --lem-save"
    return LemError(f"the store {store} has no history `{name}`; {tail}", kind=FailureKind.DATA)
