"""The services: what they name exists, no rights beyond what is needed, and nothing is lost."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import of_service
from images import compose, filled, image
from test_images import NAMES

from pytest_lem.energy.cpu.powercap import ROOT as POWERCAP
from pytest_lem.energy.cpu.powercap import zones

SERVICES: dict[str, Any] = compose()["services"]
OVERLAYS = ("compose.pids.yaml", "compose.rapl.yaml")
#: One change for each check: where, what stands there instead, and what has to be said about it.
MUTATIONS: list[tuple[str, Any, str]] = [
    ("build.dockerfile", "docker/vlm/Dockerfile", "there is no docker/vlm/Dockerfile"),
    ("build.dockerfile", "docker/transformers/Dockerfile", "it builds something else"),
    ("build.args", {}, "PUID and PGID do not reach the image"),
    ("privileged", True, "privileged is not wanted"),
    ("cap_add", ["SYS_ADMIN"], "cap_add is not wanted"),
    ("cap_drop", [], "it keeps capabilities"),
    ("security_opt", [], "it can gain rights"),
    ("user", "1000:1000", "PUID and PGID do not reach the user"),
    ("user", "${PUID:-0}:${PGID:-0}", "it is root by default"),
    ("user", "", "it is root by default"),
    ("deploy", {}, "it has no GPU"),
    ("deploy.resources.reservations.devices", [{"driver": "nvidia", "capabilities": ["gpu"]}],
     "none whose energy can be read"),
    ("ipc", "private", "its shared memory is not the machine's"),
    ("shm_size", "64m", "less than 8 GB"),
    ("shm_size", None, "less than 8 GB"),
    ("volumes", ["cache:/root/.cache/huggingface"], "nothing writes to /root/.cache/huggingface"),
    ("volumes", [], "what is written to /srv/cache/huggingface is lost"),
    ("environment", {"LEM_MODELL": "x"}, "nothing reads LEM_MODELL"),
    ("command", ["pytest", "benchmarks/", "--lem-backend=vllm", "--lem-fast"],
     "pytest would not take"),
    ("command", ["pytest", "benchmarks/smoke", "--lem-backend=vllm"], "runs something else"),
    ("command", ["pytest", "nowhere/", "--lem-backend=vllm"], "nowhere/ is not in the image"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_a_service(name: str, parse: Callable[..., Any]) -> None:
    """A service has its GPU, its volumes and its user, and runs what its image can."""
    assert of_service(name, SERVICES[name], image(name), parse) == []


@pytest.mark.parametrize(
    ("where", "value", "said"), MUTATIONS, ids=[f"{where}-{said}" for where, _, said in MUTATIONS]
)
def test_a_mistake_in_a_service_is_found(
    where: str, value: Any, said: str, parse: Callable[..., Any]
) -> None:
    """Each check can fail."""
    service = copy.deepcopy(SERVICES["vllm"])
    *folders, last = where.split(".")
    place = service
    for folder in folders:
        place = place[folder]
    place[last] = value
    found = of_service("vllm", service, image("vllm"), parse)
    assert any(said in fault for fault in found), found


def test_there_is_a_service_for_each_image() -> None:
    """And an image for each service."""
    assert sorted(SERVICES) == NAMES


def test_volumes_are_declared_and_used() -> None:
    """Caches of compiled kernels belong to one engine; models, results and locks to all."""
    used = {filled(volume).split(":")[0] for x in SERVICES.values() for volume in x["volumes"]}
    assert set(compose()["volumes"]) == used
    own = {name: {filled(v).split(":")[0] for v in SERVICES[name]["volumes"]} for name in NAMES}
    assert set.intersection(*own.values()) == {"huggingface", "results", "locks"}


def test_a_folder_of_the_machine_takes_the_place_of_a_volume() -> None:
    """By variables, so that models are not downloaded twice and results lie in sight."""
    chosen = {"HF_CACHE": "/models", "RESULTS": "/out", "LOCKS": "/srv/locks"}
    sources = {filled(x, **chosen).split(":")[0] for x in SERVICES["vllm"]["volumes"]}
    assert sources == {"vllm", *chosen.values()}


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_adds_one_thing_to_every_service(name: str) -> None:
    """And is not part of what runs without it."""
    services = compose(name)["services"]
    assert sorted(services) == NAMES
    added = {"compose.pids.yaml": "pid", "compose.rapl.yaml": "volumes"}[name]
    assert all(list(service) == [added] for service in services.values())
    assert all("pid" not in service for service in SERVICES.values())


def test_counters_of_the_cpu_lie_where_the_plugin_looks(tmp_path: Path) -> None:
    """Zones within the folder that is mounted are found, memory too, and nothing can be written."""
    mount = compose("compose.rapl.yaml")["services"]["vllm"]["volumes"][0]
    assert mount["target"] == str(POWERCAP)
    assert mount["read_only"]
    assert not mount["bind"]["create_host_path"]
    assert mount["source"].rpartition("/")[2] == "intel-rapl"
    # As the kernel lays out /sys/devices/virtual/powercap/intel-rapl: memory within its package.
    for path, zone in {"intel-rapl:0": "package-0", "intel-rapl:0/intel-rapl:0:0": "dram"}.items():
        (tmp_path / path).mkdir()
        (tmp_path / path / "name").write_text(f"{zone}\n")
        (tmp_path / path / "energy_uj").write_text("1000\n")
    found = zones(tmp_path)
    assert [zone.device for zone in found] == ["package-0", "dram-0"]
    assert [zone.read_uj() for zone in found] == [1000, 1000]
