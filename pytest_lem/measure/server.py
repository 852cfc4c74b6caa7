"""Whose energy counts where the engine is a server: its processes, found by where it listens."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import psutil

from pytest_lem.energy.gpu.processes import tree_of
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.flags import Flag
from pytest_lem.measure.round import Measurement

#: What listens in the place of a server that is elsewhere: in a container, at the other end of a
#: tunnel, or behind a proxy. By name, up to the first dot (pasta.avx2).
_PROXIES = frozenset(
    {
        *("docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "conmon"),
        *("ssh", "sshd", "sshd-session", "autossh", "kubectl", "socat"),
        *("nginx", "haproxy", "envoy", "caddy", "traefik"),
    }
)
_PORTS = {"http": 80, "https": 443}


def scope_of_server(applied: dict[str, Any], panel: Panel, found: Measurement) -> Scope:
    """Return the processes and GPUs of a server; none where they cannot be known, which is flagged.

    The GPUs are those on which its processes compute, and are written into `applied`.
    """
    pids = _pids(applied, found)
    uuids: Sequence[str] = ()
    if pids and panel.watch is not None:
        uuids = panel.watch.used_by(sorted({pid for root in pids for pid in tree_of(root)}))
    if pids:
        applied["device_uuids"] = list(uuids)
        applied["device"] = "cuda" if uuids else "cpu"
    return Scope(pids=tuple(pids), gpu_uuids=tuple(uuids))


def _pids(applied: Mapping[str, Any], found: Measurement) -> list[int]:
    if (started := applied.get("server_pid")) is not None:
        return [started]
    url = urlsplit(applied["url"])
    if not _is_here(str(url.hostname)):
        found.flags.add(Flag.REMOTE_SERVER)
        return []
    pids = _listening_on(url.port or _PORTS[url.scheme])
    if not pids:
        found.flags.add(Flag.SERVER_NOT_SEEN)
    return pids


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine: one of its addresses, or a name for one."""
    own = {a.address.partition("%")[0] for found in psutil.net_if_addrs().values() for a in found}
    try:
        addresses = {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(a).is_loopback or a in own for a in addresses)


def _listening_on(port: int) -> list[int]:
    """Return the processes that listen on a port, as far as this user may see them."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return []
    return sorted(
        {
            c.pid
            for c in connections
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port
            if c.pid and not _is_proxy(c.pid)
        }
    )


def _is_proxy(pid: int) -> bool:
    try:
        return psutil.Process(pid).name().partition(".")[0] in _PROXIES
    except psutil.Error:
        return False
