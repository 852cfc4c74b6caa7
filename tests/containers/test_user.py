"""The step of an image that makes its user and folders, run by a shell under another root."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from images import image

#: Somebody who can own a file here: another user where root runs the tests, else whoever does.
USER, GROUP = (4321, 4322) if os.getuid() == 0 else (os.getuid(), os.getgid())
FOLDERS = ("home", "suite", "suite/.lem", "cache", "cache/engine", "cache/huggingface")


def _make(root: Path, user: int, *, is_known: bool) -> subprocess.CompletedProcess[str]:
    """Run the step for a user; the programs that would ask or change the machine are made ones."""
    script = re.sub(r"(?<= )/(?=\w)", f"{root}/", image("vllm").run.values("RUN")[-1])
    programs = root / "programs"
    programs.mkdir()
    answers = {"getent": 0 if is_known else 2, "useradd": 0}
    for name, status in answers.items():
        line = f'echo "{name} $*" >> {root}/calls; exit {status}'
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "PUID": str(user), "PGID": str(GROUP)}
    return subprocess.run(
        ["sh", "-c", script], env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("is_known", [True, False])
def test_the_user_owns_what_is_written(is_known: bool, tmp_path: Path) -> None:
    """A new volume takes owner and mode from these folders; locks are for every user."""
    done = _make(tmp_path, USER, is_known=is_known)
    assert done.returncode == 0, done.stderr
    found = [(tmp_path / "srv" / folder).stat() for folder in FOLDERS]
    assert {(folder.st_uid, folder.st_gid) for folder in found} == {(USER, GROUP)}
    assert (tmp_path / "srv/locks").stat().st_mode & 0o7777 == 0o777
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == f"getent passwd {USER}"
    assert [f"--uid {USER} lem" in call for call in calls[1:]] == ([] if is_known else [True])


def test_an_image_for_root_is_not_built(tmp_path: Path) -> None:
    """Nothing is made then."""
    assert _make(tmp_path, 0, is_known=True).returncode != 0
    assert not (tmp_path / "srv/suite").exists()
