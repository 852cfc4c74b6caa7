"""Conversations in lines over real pipes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pytest_lem.energy.sampling.pipes import Pipes

#: More than a pipe holds.
LONG = "x" * 1_000_000


class Ends:
    """Two pipes, and a conversation at both ends of them."""

    def __init__(self) -> None:
        there, here = os.pipe(), os.pipe()
        self.near = Pipes(here[0], there[1])
        self.far = Pipes(there[0], here[1])
        self.descriptors = {"near": [here[0], there[1]], "far": [there[0], here[1]]}

    def close(self, side: str) -> None:
        """Close what one side holds."""
        for descriptor in self.descriptors.pop(side, []):
            os.close(descriptor)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Return a conversation, and close it."""
    made = Ends()
    yield made
    made.close("near")
    made.close("far")


def test_lines_arrive_whole_and_in_order(ends: Ends) -> None:
    """Several lines that are said at once, and later ones, arrive one by one."""
    ends.near.say("one\ntwo")
    ends.near.say("three")
    assert ends.near.wait(1) == []
    assert ends.far.wait(1) == [b"one", b"two", b"three"]
    ends.far.say("four")
    ends.far.wait(1)
    assert ends.near.wait(1) == [b"four"]


def test_half_a_line_waits_for_its_other_half(ends: Ends) -> None:
    """What has no end yet is no line."""
    os.write(ends.descriptors["far"][1], b"fir")
    assert ends.near.wait(1) == []
    os.write(ends.descriptors["far"][1], b"st\nsec")
    assert ends.near.wait(1) == [b"first"]


def test_waiting_ends_without_a_line(ends: Ends) -> None:
    """After the time that was given there is nothing, also for a time in the past."""
    assert ends.near.wait(0.001) == []
    assert ends.near.wait(-1) == []


def test_a_full_pipe_holds_up_nobody(ends: Ends) -> None:
    """What does not fit stays here until there is room; meanwhile this side can listen."""
    ends.near.say("short")
    ends.near.wait(0)
    ends.near.say(LONG)
    for _ in range(100):
        ends.near.wait(0)
    ends.far.say("are you there?")
    heard = ends.far.wait(0)
    assert ends.near.wait(1) == [b"are you there?"]
    while len(heard) < 2:
        ends.near.wait(0)
        heard += ends.far.wait(0)
    assert heard == [b"short", LONG.encode()]


def test_the_end_of_the_other_side_is_seen_by_a_listener(ends: Ends) -> None:
    """Its last words still arrive."""
    ends.far.say("bye")
    ends.far.wait(1)
    ends.close("far")
    assert ends.near.wait(1) == [b"bye"]
    assert not ends.near.is_closed
    assert ends.near.wait(1) == []
    assert ends.near.is_closed


def test_the_end_of_the_other_side_is_seen_by_a_speaker(ends: Ends) -> None:
    """A pipe that nobody reads is closed, and no error."""
    os.close(ends.descriptors["far"].pop(0))
    ends.near.say("hello?")
    ends.near.wait(1)
    assert ends.near.is_closed
