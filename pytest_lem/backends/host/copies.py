"""Further processes of one load: hosts of their own, asked whatever the first one is asked.

A backend that runs copies of a model side by side (data parallel) says with which variables each
further process begins. The process that pytest talks to is rank 0; the others are its children, so
that the keeper, the log and the meters have them too. Each answers for its part of the work, and
rank 0 pools the answers.
"""

from __future__ import annotations

import builtins
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_lem.backends.host.failures import described
from pytest_lem.backends.host.pooled import collected, prepared, ran
from pytest_lem.backends.host.process import Host
from pytest_lem.errors import FailureKind, LemError

#: Requests that every process is sent. Loading is begun by itself, and only rank 0 gives scores.
_SHARED = frozenset({"prepare", "arm", "run", "collect"})
#: Standard output of this process, the log of the load.
_OUTPUT = Path("/dev/fd/1")
#: Deadlines in here come so much before those of pytest, so that it hears who was late.
_EARLIER_SHARE, _EARLIER_S = 0.2, 5.0
#: Somebody whom the others have lost has so long to show what became of it.
_LOOK_S = 2.0
#: Mistakes in what was asked for, which every process makes in the same way.
_ALIKE = (FailureKind.CONFIG, FailureKind.DATA)


class LostCopies(Exception):  # noqa: N818 - it says who is missing, not what went wrong
    """A process waited for others in vain; `ranks` are those, empty where that is not known."""

    def __init__(self, *ranks: int) -> None:
        super().__init__(*ranks)
        self.ranks = ranks


class CopyError(LemError):
    """A failure of one of several processes, which it names."""


class Copies:
    """The processes beside rank 0: starts them, asks them together, ends them together."""

    def __init__(self, variables: Sequence[Mapping[str, str]]) -> None:
        self._hosts: list[Host] = []
        self._awaited = False
        self._stamps: Sequence[Mapping[str, Any]] = ()
        #: What is known of each process from when it was loaded, rank 0 first.
        self.facts: Sequence[Mapping[str, Any]] = ()
        #: Until when the present request must be answered.
        self.deadline_s = 0.0
        self._earlier_s = 0.0
        self._count = len(variables) + 1
        log = _log()
        try:
            for rank, own in enumerate(variables, 1):
                with self._named(rank):
                    self._hosts.append(Host(log, variables=own))
        except BaseException:
            self.kill()
            raise

    def begin(self, message: Mapping[str, Any]) -> None:
        """Have the backend imported, and the same load begun, in each process."""
        self.heed(message)
        self.tell("import", backend=message["backend"])
        self.hear("imported")
        self.tell("load", backend=message["backend"], spec=message["spec"])

    def heed(self, message: Mapping[str, Any]) -> None:
        """Take the deadline of a request of pytest, a little earlier."""
        left_s = message["deadline_s"] - time.monotonic()
        self._earlier_s = min(_EARLIER_S, _EARLIER_SHARE * max(left_s, 0))
        self.deadline_s = message["deadline_s"] - self._earlier_s

    def share(self, message: Mapping[str, Any]) -> None:
        """Ask each process what pytest asks this one, where all answer it; `pooled` has that."""
        if message["type"] in _SHARED:
            own = ("v", "type", "deadline_s")
            self.heed(message)
            self.tell(message["type"], **{key: message[key] for key in message if key not in own})

    def tell(self, kind: str, **fields: Any) -> None:
        """Send a request to each process."""
        for rank, host in enumerate(self._hosts, 1):
            with self._named(rank):
                host.tell(kind, deadline_s=self.deadline_s, **fields)
        self._awaited = True

    def hear(self, answer: str) -> list[dict[str, Any]]:
        """Return the answer of each process; raises LemError that names the one that has failed."""
        self._awaited = False
        found = []
        for rank, host in enumerate(self._hosts, 1):
            with self._named(rank):
                found.append(host.hear(answer, deadline_s=self.deadline_s))
                host.settle(timeout_s=self.deadline_s - time.monotonic())
            _warn_again(host)
        return found

    def pooled(self, answer: str, own: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of an answer for all processes; those of rank 0 where none was due."""
        if not self._awaited:
            return own
        answers = [own, *self.hear(answer)]
        if answer == "prepared":
            return prepared(answers)
        if answer == "ran":
            self._stamps = answers
            return ran(answers)
        return collected(answers, self.facts, self._stamps) if answer == "collected" else own

    def blame(self, error: Exception) -> Exception:
        """End all processes; return the error that says which of them is behind this one."""
        try:
            return self._cause(error)
        finally:
            self.kill()

    def kill(self) -> None:
        """End all processes; safe to call again."""
        for host in self._hosts:
            host.kill()

    def _cause(self, error: Exception) -> Exception:
        if isinstance(error, LostCopies):
            return self._culprit(error.ranks or range(1, self._count))
        is_alike = isinstance(error, LemError) and error.kind in _ALIKE
        if is_alike or isinstance(error, CopyError):
            return error
        failure = described(error)
        return self._error(0, failure["sentence"], failure["kind"], failure["detail"])

    def _culprit(self, ranks: Sequence[int]) -> LemError:
        """Return what became of the first process that was lost."""
        until_s = min(time.monotonic() + _LOOK_S, self.deadline_s + self._earlier_s / 2)
        for rank in ranks:
            try:
                with self._named(rank):
                    self._hosts[rank - 1].hear("", deadline_s=until_s)
            except LemError as found:
                return found
        return LemError(
            f"the {self._count} processes lost each other; the log says more: {_log()}",
            kind=FailureKind.ENGINE,
        )

    @contextmanager
    def _named(self, rank: int) -> Iterator[None]:
        """Say in an error of which process it is."""
        try:
            yield
        except LemError as error:
            raise self._error(rank, str(error), error.kind, error.detail) from error

    def _error(self, rank: int, sentence: str, kind: str, detail: str) -> CopyError:
        return CopyError(
            f"rank {rank} of {self._count} processes: {sentence}",
            kind=FailureKind(kind),
            detail=detail,
        )


def _log() -> Path:
    """Return the file that this process prints to, by its name where it has one."""
    path = Path(os.path.realpath(_OUTPUT))
    return path if path.is_file() else _OUTPUT


def _warn_again(host: Host) -> None:
    """Raise here what another process was warned of; the same text is kept once."""
    raised, host.warnings = host.warnings, []
    for warned in raised:
        category = getattr(builtins, warned["category"], UserWarning)
        warnings.warn(warned["message"], category, stacklevel=2)
