"""Delivery by HTTP, to a server that is there, slow, refusing or gone."""

from __future__ import annotations

import socket

import pytest

from pytest_lem.sinks.courier import Courier

MESSAGE = {"event": "end", "failed": 0}


def courier(token=None, timeout_s=10.0, **addresses):
    """Return a courier to addresses by the names of their variables."""
    return Courier(addresses, token=token, timeout_s=timeout_s)


@pytest.fixture
def dead():
    """Return an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/hook/s3cret"


def test_a_message_arrives_as_json_with_its_token(listen):
    """At all addresses."""
    servers = [listen(), listen()]
    sender = courier("t0ken", A=servers[0].url, B=servers[1].url)
    sender.send(MESSAGE)
    for server in servers:
        assert server.messages == [MESSAGE]
        assert server.headers[0]["Authorization"] == "Bearer t0ken"
        assert server.headers[0]["Content-Type"] == "application/json"
    assert sender.faults == {}


def test_without_a_token_none_is_sent(listen):
    """Nor anything in its place."""
    server = listen()
    courier(A=server.url).send(MESSAGE)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (403, "answered with status 403"),
        (500, "answered with status 500"),
        (307, "answered with status 307"),
        (0, "could not be reached"),
    ],
)
def test_whoever_refuses_is_told_nothing_more(listen, status, fault):
    """A redirection counts as a refusal: what stands behind it was not given by anybody."""
    server, good = listen(), listen()
    server.status = status
    sender = courier(A=server.url, B=good.url)
    sender.send(MESSAGE)
    sender.send(MESSAGE)
    assert sender.faults == {"A": fault}
    assert (len(server.messages), len(good.messages)) == (1, 2)


def test_a_slow_server_is_waited_for_once_and_not_for_long(listen):
    """It still holds its answer back when sending is over."""
    server = listen()
    server.is_silent = True
    sender = courier(A=server.url, timeout_s=0.2)
    sender.send(MESSAGE)
    assert sender.faults == {"A": "did not answer within 0.2 s"}
    assert not server.released.is_set()
    sender.send(MESSAGE)
    assert len(server.messages) == 1


def test_a_dead_server_is_a_fault(dead):
    """And not an error."""
    sender = courier(A=dead)
    sender.send(MESSAGE)
    assert sender.faults == {"A": "refused the connection"}


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (None, "is not set"),
        ("", "is not set"),
        ("hooks.example/s3cret", "holds no http address"),
        ("file:///etc/hostname", "holds no http address"),
        ("http://:80/s3cret", "holds no http address"),
        ("http://host:port/s3cret", "holds no http address"),
        ("http://host/s3cret\n", "holds no http address"),
    ],
)
def test_what_is_no_address_is_not_tried(address, fault):
    """It is known before anything happens, and the fault does not quote it."""
    assert courier(A=address).faults == {"A": fault}
