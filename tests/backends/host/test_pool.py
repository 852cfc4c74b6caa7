"""Which host is resident."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pytest_lem.backends.host.pool import HostPool, Loaded
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.errors import LemError

SPEC = LoadSpec(backend="ngram", model="m", precision="float64", options={"order": 2})


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[HostPool]:
    pool = HostPool(tmp_path, "gw1-")
    yield pool
    pool.close()


def loaded(pool: HostPool, spec: LoadSpec = SPEC) -> Loaded:
    """Start a host and say that its model is loaded."""
    found = pool.start(spec)
    found.applied = {"device": "cpu"}
    return found


def test_a_load_is_used_again(pool):
    """The same load is resident, also for another batch size."""
    assert pool.resident(SPEC) is None
    first = loaded(pool)
    assert pool.resident(SPEC) is first
    assert pool.resident(replace(SPEC, max_batch_size=64)) is first


def test_another_load_is_not_resident(pool):
    """What was asked for decides, not what is there."""
    loaded(pool)
    assert pool.resident(replace(SPEC, precision="float32")) is None


def test_a_host_whose_load_failed_is_not_resident(pool):
    """A host without its model serves nobody."""
    pool.start(SPEC)
    assert pool.resident(SPEC) is None


def test_a_dead_host_is_not_resident(pool):
    """A host that was killed is not given out."""
    first = loaded(pool)
    psutil.Process(first.host.pid).kill()
    first.host._process.wait()
    assert pool.resident(SPEC) is None


@pytest.mark.parametrize(
    ("options", "name"), [({}, ""), ({"processes": 2}, "rank 0 of 2 processes: ")]
)
def test_the_first_of_several_is_named_when_it_dies(pool, options, name):
    """Its children cannot say what became of it; one process alone needs no name."""
    host = pool.start(replace(SPEC, options=options)).host
    psutil.Process(host.pid).kill()
    with pytest.raises(LemError) as caught:
        host.ask("import", "imported", timeout_s=60.0, backend="no:matter")
    killed = f"{name}the host process of the backend was killed by SIGKILL"
    assert str(caught.value).startswith(killed)


def test_the_next_load_ends_the_one_before(pool):
    """At most one host is there."""
    first = loaded(pool)
    second = loaded(pool, replace(SPEC, model="n"))
    assert not first.host.is_alive
    assert second.host.is_alive
    assert pool.resident(SPEC) is None


def test_the_end_of_each_host_is_told_once(tmp_path):
    """Whoever looks after the devices learns which load has ended, when nothing of it is left."""
    ended = []
    pool = HostPool(tmp_path, "", lambda found: ended.append((found.load_id, found.host.is_alive)))
    loaded(pool)
    loaded(pool)
    assert ended == [("load-1", False)]
    pool.close()
    pool.close()
    assert ended == [("load-1", False), ("load-2", False)]


def test_a_host_can_be_given_variables(pool):
    """They come on top of ours."""
    found = pool.start(SPEC, variables={"SOME_CACHE": "somewhere"})
    there = psutil.Process(found.host.pid).environ()
    assert there["SOME_CACHE"] == "somewhere"
    assert there["PATH"] == os.environ["PATH"]


def test_each_load_has_a_name_and_a_log(pool, tmp_path):
    """Loads are numbered behind the name of the worker, and print to a file of that name."""
    names = [loaded(pool).load_id for _ in range(2)]
    assert names == ["gw1-load-1", "gw1-load-2"]
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.log" for name in names}


def test_closing_ends_the_resident_host(pool):
    """After closing nothing is resident; closing again is nothing."""
    first = loaded(pool)
    pool.close()
    assert not first.host.is_alive
    assert pool.resident(SPEC) is None
    pool.close()
