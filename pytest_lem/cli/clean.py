"""`lem clean`: deletes the folders of old runs, and nothing else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_lem.cli.printing import complain, say
from pytest_lem.cli.reference import RUN_FILES, is_run, store_at

#: Runs that stay where nobody says how many.
DEFAULT_KEEP = 10
_DAY_S = 86_400.0
#: A run without an end that wrote something so lately may still go on.
_STILL_GOING_S = _DAY_S
_STAMP, _STAMP_LENGTH = "%Y%m%dT%H%M%S", 15


def run(store: Path, *, keep: int | None, older_than_days: float | None, is_dry: bool) -> int:
    """Delete what is too much and too old; return 1 when something could not be deleted, else 0.

    The newest run stays, and so do runs that may still go on or whose samples a later one uses.
    """
    directories = store_at(store).run_directories()
    for stranger in (d for d in directories if d.is_symlink() or not is_run(d)):
        complain(f"{stranger} is left alone: it is not the folder of a run")
    runs = sorted((d for d in directories if is_run(d) and not d.is_symlink()), key=_moment_s)
    doomed = _doomed(runs, keep, older_than_days)
    freed, failures = 0, 0
    for directory in doomed:
        size = _size(directory)
        if not is_dry and not _is_deleted(directory):
            failures += 1
            continue
        freed += size
        say(f"{'would delete' if is_dry else 'deleted'} {directory} ({_bytes(size)})")
    done = "would be deleted" if is_dry else "deleted"
    count = len(doomed) - failures
    say(f"{count} of {len(runs)} {'run' if len(runs) == 1 else 'runs'} {done}, {_bytes(freed)}")
    return 1 if failures else 0


def _doomed(runs: Sequence[Path], keep: int | None, older_than_days: float | None) -> list[Path]:
    """Return the runs to delete, the oldest first."""
    now_s = time.time()
    if keep is None:
        keep = DEFAULT_KEEP if older_than_days is None else 1
    old = [
        directory
        for directory in runs[:-keep]
        if older_than_days is None or now_s - _moment_s(directory) > older_than_days * _DAY_S
    ]
    ended = [directory for directory in old if not _may_go_on(directory, now_s)]
    used = set(_used(ended, [directory for directory in runs if directory not in ended]))
    for directory in sorted(used):
        complain(f"{directory} is left alone: a later run that resumed it uses its samples")
    return [directory for directory in ended if directory not in used]


def _may_go_on(directory: Path, now_s: float) -> bool:
    """Tell, and say so, whether a run without an end wrote something in the last day."""
    if (directory / "run.json").exists():
        return False
    if now_s - _written_s(directory) > _STILL_GOING_S:
        return False
    complain(f"{directory} is left alone: it has no end, and wrote something in the last day")
    return True


def _used(doomed: Sequence[Path], kept: Sequence[Path]) -> Iterator[Path]:
    """Yield the runs to which a run that stays refers; it may have it from one between them."""
    for directory in kept:
        for name in ("run.json", "journal.jsonl"):
            file = directory / name
            if file.is_file():
                content = file.read_bytes()
                yield from (d for d in doomed if f"../{d.name}/".encode() in content)
                break


def _moment_s(directory: Path) -> float:
    """Return when a run began: by its name, or by what was written where that is no time."""
    try:
        began = datetime.strptime(directory.name[:_STAMP_LENGTH], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return _written_s(directory)
    return began.timestamp()


def _written_s(directory: Path) -> float:
    """Return when a run last wrote one of its files."""
    return max(_stat(directory / name).st_mtime for name in RUN_FILES)


def _is_deleted(directory: Path) -> bool:
    try:
        shutil.rmtree(directory)
    except OSError as error:
        complain(f"cannot delete {directory} ({error.strerror})")
        return False
    return True


def _size(directory: Path) -> int:
    return sum(_stat(path).st_size for path in directory.rglob("*") if not path.is_dir())


def _stat(path: Path) -> os.stat_result:
    """Return what is known of a file; of one that is not there, or no longer, nothing but zeros."""
    try:
        return path.lstat()
    except OSError:
        return os.stat_result([0] * 10)


def _bytes(size: int) -> str:
    return f"{size:,} bytes"
