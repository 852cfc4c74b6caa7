"""The environment of a run: an allow-list of facts, never the variables of the user."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from pytest_lem.energy.gpu.boards import describe
from pytest_lem.energy.gpu.driver import Driver, DriverFault

#: Variables that change how fast or how economically code runs; no other is ever stored.
VARIABLES = (
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "HF_HUB_OFFLINE",
    "KMP_AFFINITY",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OPENBLAS_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TOKENIZERS_PARALLELISM",
    "VLLM_CPU_KVCACHE_SPACE",
    "VLLM_CPU_OMP_THREADS_BIND",
)


def machine(root: Path) -> dict[str, Any]:
    """Describe this machine and the commit checked out at `root`; unknown facts are None."""
    return {
        "os": platform.system(),
        "os_release": _os_release(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "host_hash": hashlib.sha256(platform.node().encode()).hexdigest()[:12],
        "cpu": _cpu_model(),
        "cpu_count_logical": psutil.cpu_count(),
        "cpu_count_physical": psutil.cpu_count(logical=False),
        "cpu_count_usable": _usable_cpus(),
        "cpu_governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_bytes": psutil.virtual_memory().total,
        "container": _container(),
        "mps": _has_mps(),
        "git": git(root),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def python_facts() -> dict[str, Any]:
    """Describe the interpreter of this process and its packages."""
    from pytest_lem.backends.host.packages import versions

    return {"python": sys.version.split()[0], "packages": versions()}


def git(root: Path) -> dict[str, Any] | None:
    """Return the commit and whether tracked files differ from it; None outside a checkout."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def branch(root: Path) -> str | None:
    """Return the branch checked out at `root`; None outside of one."""
    found = _git(root, "rev-parse", "--abbrev-ref", "HEAD")
    return None if found in {None, "HEAD"} else found


def gpus() -> dict[str, dict[str, Any]]:
    """Describe the GPUs by UUID; empty without a driver. A fact a board hides is None."""
    driver = Driver()
    try:
        driver.open()
        return {uuid: describe(driver, uuid) for uuid in driver.uuids()}
    except DriverFault:
        return {}
    finally:
        driver.close()


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["git", *arguments],  # noqa: S607 - the git of the user's own path
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _os_release() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _cpu_model() -> str | None:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _usable_cpus() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _container() -> str | None:
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in os.environ else None


def _has_mps() -> bool:
    """Tell whether the daemon that lets processes share a GPU (CUDA MPS) has its pipe here."""
    usual = Path(tempfile.gettempdir(), "nvidia-mps")
    return Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", usual), "control").exists()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
