"""Peak memory of a host process."""

import mmap

from pytest_lem.backends.host.memory import peaks, reset_peak

SIZE = 64 << 20


def test_the_peak_is_that_since_the_last_reset():
    """Memory that was taken and given back counts, until the peak is reset."""
    reset_peak()
    before = peaks()["peak_host_memory_bytes"]
    with mmap.mmap(-1, SIZE) as taken:
        taken.write(b"x" * SIZE)
    at_most = peaks()["peak_host_memory_bytes"]
    assert before + SIZE <= at_most
    reset_peak()
    assert peaks()["peak_host_memory_bytes"] <= at_most - SIZE


def test_without_a_device_its_memory_is_unknown():
    """No CUDA in this process: null, not 0."""
    assert peaks()["peak_device_memory_bytes"] is None
