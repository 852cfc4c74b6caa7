"""Whose energy counts where the engine is a server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from pytest_lem.measure import server
from pytest_lem.measure.round import Measurement
from pytest_lem.measure.server import scope_of_server


class GivenWatch:
    """Knows which process computes on which board; notes which it was asked about."""

    def __init__(self, **boards: int) -> None:
        self.boards = boards
        self.asked: list[int] = []

    def used_by(self, pids: list[int]) -> list[str]:
        self.asked = list(pids)
        return [uuid for uuid, pid in self.boards.items() if pid in pids]


@pytest.fixture
def listening() -> Iterator[int]:
    """Listen on this machine, in this process; return the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _scope(applied: dict[str, Any], metered: Any, watch: Any = None) -> tuple[Any, set[str]]:
    panel, _ = metered()
    panel.watch = watch
    found = Measurement()
    return scope_of_server(applied, panel, found), found.flags


def test_a_server_that_was_started_is_its_process(metered: Any) -> None:
    """Wherever it listens; without boards it works on the CPU."""
    applied = {"server_pid": os.getpid(), "url": "http://127.0.0.1:1"}
    scope, flags = _scope(applied, metered)
    assert (scope.pids, scope.gpu_uuids, flags) == ((os.getpid(),), (), set())
    assert (applied["device"], applied["device_uuids"]) == ("cpu", [])


def test_the_boards_are_those_on_which_its_processes_compute(metered: Any) -> None:
    """Its children's too: they are what most servers compute with."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        watch = GivenWatch(a=child.pid, b=1, c=os.getpid())
        applied = {"server_pid": os.getpid(), "url": "http://127.0.0.1:1"}
        scope, _ = _scope(applied, metered, watch)
        assert {os.getpid(), child.pid} <= set(watch.asked)
        child.communicate(b"\n")
    assert scope.gpu_uuids == ("a", "c")
    assert (applied["device"], applied["device_uuids"]) == ("cuda", ["a", "c"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3", "own"])
def test_a_server_of_this_machine_is_found_by_its_port(
    metered: Any, listening: int, host: str
) -> None:
    """Under any of the machine's names; the process is the one that listens."""
    if host == "own":
        host = next(
            a.address
            for found in psutil.net_if_addrs().values()
            for a in found
            if a.family == socket.AF_INET
        )
    applied = {"server_pid": None, "url": f"http://{host}:{listening}"}
    scope, flags = _scope(applied, metered)
    assert (scope.pids, flags) == ((os.getpid(),), set())


def test_a_server_of_another_machine_has_no_energy_here(
    metered: Any, monkeypatch: pytest.MonkeyPatch, listening: int
) -> None:
    """Though something here listens on the same port; nobody is asked over the network."""
    monkeypatch.setattr(socket.socket, "connect", None)
    watch = GivenWatch(a=os.getpid())
    applied = {"server_pid": None, "url": f"http://192.0.2.1:{listening}"}
    scope, flags = _scope(applied, metered, watch)
    assert (scope.pids, scope.gpu_uuids, flags) == ((), (), {"remote_server"})
    assert watch.asked == []
    assert "device" not in applied


def test_a_name_that_nobody_knows_is_not_here(
    metered: Any, monkeypatch: pytest.MonkeyPatch, listening: int
) -> None:
    """What cannot be shown to be this machine is another."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    _, flags = _scope({"url": f"http://somewhere:{listening}"}, metered)
    assert flags == {"remote_server"}


def test_a_name_for_several_machines_is_not_here(
    metered: Any, monkeypatch: pytest.MonkeyPatch, listening: int
) -> None:
    """Requests may go to any of them."""
    both = [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    _, flags = _scope({"url": f"http://both:{listening}"}, metered)
    assert flags == {"remote_server"}


@pytest.mark.parametrize("how", ["nobody", "denied", "hidden"])
def test_a_server_whose_process_is_not_seen_is_flagged(
    metered: Any, monkeypatch: pytest.MonkeyPatch, listening: int, how: str
) -> None:
    """Its energy is unknown, and not that of whatever is seen."""
    if how == "denied":
        monkeypatch.setattr(psutil, "net_connections", _denied)
    if how == "hidden":
        found = [c._replace(pid=None) for c in psutil.net_connections("tcp")]
        monkeypatch.setattr(psutil, "net_connections", lambda **_: found)
    port = 1 if how == "nobody" else listening
    applied = {"url": f"http://127.0.0.1:{port}"}
    scope, flags = _scope(applied, metered, GivenWatch(a=os.getpid()))
    assert (scope.pids, scope.gpu_uuids, flags) == ((), (), {"server_not_seen"})
    assert "device" not in applied


NAMED = """
import socket, sys
open("/proc/self/comm", "w").write(sys.argv[1])
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    input()
"""


@pytest.mark.parametrize(
    ("name", "is_seen"),
    [
        *((name, False) for name in ("docker-proxy", "rootlesskit", "pasta.avx2", "conmon")),
        *((name, False) for name in ("ssh", "autossh", "kubectl", "socat", "sshd-session")),
        *((name, False) for name in ("nginx", "haproxy", "envoy", "caddy", "traefik")),
        *((name, True) for name in ("llama-server", "nginxlm", "vllm.ssh")),
    ],
)
def test_who_only_passes_requests_on_is_not_the_server(
    metered: Any, name: str, is_seen: bool
) -> None:
    """A tunnel or a proxy is known by its name; the server behind it is not seen."""
    command = [sys.executable, "-c", NAMED, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        applied = {"url": f"http://127.0.0.1:{int(process.stdout.readline())}"}
        scope, flags = _scope(applied, metered)
        process.communicate(b"\n")
    expected = ((process.pid,), set()) if is_seen else ((), {"server_not_seen"})
    assert (scope.pids, flags) == expected


def _denied(**_: Any) -> Any:
    raise psutil.AccessDenied


@pytest.mark.parametrize(("url", "port"), [("http://localhost", 80), ("https://localhost", 443)])
def test_a_url_without_a_port_has_that_of_its_kind(
    metered: Any, monkeypatch: pytest.MonkeyPatch, url: str, port: int
) -> None:
    """As browsers have it."""
    asked: list[int] = []
    monkeypatch.setattr(server, "_listening_on", lambda port: asked.append(port) or [])
    _scope({"url": url}, metered)
    assert asked == [port]
