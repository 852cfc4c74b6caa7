"""What a run tells GitHub Actions: a page in the summary of the job, annotations in its log.

Imported only where a variable of GitHub Actions asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_lem.plugin.outcome import GateOutcome
from pytest_lem.plugin.pairjudging import PairOutcome
from pytest_lem.plugin.reporting import summary_of_run
from pytest_lem.plugin.settings import resolved_gate
from pytest_lem.reports.annotations import Place, annotate, commands
from pytest_lem.reports.markdown import escaped, markdown
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile

#: Bytes that the summary of a step may have; GitHub refuses a larger one as a whole.
LARGEST = 1024 * 1024
_CUT = "\n\n- cut here, since GitHub takes 1 MiB; `lem report latest` has the rest\n"

#: As pytest has it: a file relative to the root folder, a line from 0 up, a name.
Location = tuple[str, int | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run that has ended, inside a job of GitHub Actions.

    Attributes:
        outcome: what comparing came to, None without.
        problems: sentences about what could not be written.

    """

    config: pytest.Config
    run_file: RunFile
    outcome: GateOutcome | PairOutcome | None
    problems: Sequence[str]

    def append_page(self, path: Path) -> str | None:
        """Append what was measured to the summary of the job.

        Returns a sentence where that cannot be: a page is no reason to fail, or to lose, a run.
        """
        if not (self.run_file.records or self._all_problems):
            return None
        try:
            before = path.stat().st_size if path.exists() else 0
            gap = "\n\n" if before else ""
            text = self._page(LARGEST - before - len(gap))
            if text is None:
                return f"the summary of the job has no room left for this run ({path})"
            with path.open("ab") as file:
                file.write(gap.encode() + text)
        except OSError as error:
            return f"cannot write the summary of the job to {path} ({error.strerror or error})"
        return None

    def annotations(
        self, records: Sequence[Record], locations: Mapping[str, Location]
    ) -> list[str]:
        """Return the lines for the log, from the records of the last attempts."""
        found = annotate(
            self._comparisons,
            records,
            self._all_problems,
            failing=self._failing,
            place_of=lambda nodeid: self._place(nodeid, locations),
        )
        return commands(found)

    @property
    def _comparisons(self) -> Sequence[Comparison]:
        return self.outcome.comparisons if self.outcome else ()

    @property
    def _all_problems(self) -> list[str]:
        return [*self.problems, *(self.outcome.problems if self.outcome else ())]

    @property
    def _failing(self) -> Sequence[str]:
        return resolved_gate(self.config).settings.gate.fail_verdicts

    def _page(self, room: int) -> bytes | None:
        """Return the page as far as there is room: figures give way to verdicts."""
        summary = summary_of_run(self.config, self.run_file, self.outcome)
        remarks = [*self._all_problems, *(self.outcome.notes if self.outcome else ())]
        tail = "".join(f"- {escaped(remark)}\n" for remark in remarks)
        whole = _encoded(f"{markdown(summary)}\n{tail}")
        if len(whole) <= room:
            return whole
        without = markdown(replace(summary, rows=[]))
        note = "- the figures are left out, since GitHub takes 1 MiB; `lem report latest` has them"
        return _shortened(_encoded(f"{without}\n{note}\n{tail}"), room)

    def _place(self, nodeid: str | None, locations: Mapping[str, Location]) -> Place | None:
        """Return where a test is, as a path in the checkout; None for a file that is gone."""
        if nodeid is None:
            return None
        name, line, _ = locations.get(nodeid, (nodeid.partition("::")[0], None, ""))
        path = Path(self.config.rootpath, name).resolve()
        if not path.is_file():
            return None
        checkout = Path(os.environ.get("GITHUB_WORKSPACE") or self.config.rootpath).resolve()
        if not path.is_relative_to(checkout):
            return None
        shown = path.relative_to(checkout).as_posix()
        return Place(shown, None if line is None else line + 1)


def _encoded(text: str) -> bytes:
    """Encode; an id may hold what no file can, such as half of a surrogate pair."""
    return text.encode(errors="replace")


def _shortened(page: bytes, room: int) -> bytes | None:
    """Return a page up to the last whole line that fits, and that it was cut."""
    if len(page) <= room:
        return page
    end = page.rfind(b"\n", 0, max(room - len(_CUT), 0))
    return None if end < 0 else page[:end] + _CUT.encode()
