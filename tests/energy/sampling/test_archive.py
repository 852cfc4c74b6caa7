"""Series in files."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.energy.sampling.archive import read_series, write_csv, write_series
from pytest_lem.energy.sampling.series import Look, Series
from pytest_lem.energy.sampling.track import Source, Track
from pytest_lem.errors import FailureKind, LemError


def make() -> Series:
    """Return a series with all that a series can have."""
    usage = Source(name="nvmlDeviceGetPowerUsage", averaging_s=None)
    tracks = {
        "machine": Track(("utilisation", "memory_bytes")),
        "GPU-a": Track(("power_w", "throttle_bits"), usage),
    }
    series = Series(
        tracks, interval_s=0.1, faults={"package-0": "no permission"}, from_s=0.5, until_s=9.25
    )
    looks = [Look(time_s=1.0, device="GPU-a", kind="compute", pids=(12, 13))]
    series.add([[1.0000012, 0.25, 2**36 + 1], [1.01, 70.125, 4]], looks)
    series.add([[1.1, None, 2**36], [1.11, None, 0x7FF]])
    return series


def plain(series: Series) -> dict[str, object]:
    """Return all of a series as something that can be compared."""
    return {
        "tracks": {
            device: (track.times_s, {n: track.known(n) for n in track.columns}, track.source)
            for device, track in series.tracks.items()
        },
        "rest": (series.interval_s, series.faults, series.looks, series.from_s, series.until_s),
    }


def test_a_series_comes_back_from_its_file(tmp_path: Path) -> None:
    """Every sample to the last bit, what is missing, and all that is known about it."""
    path = tmp_path / "a" / "case.npz"
    write_series(make(), path)
    assert plain(read_series(path)) == plain(make())


def test_an_empty_series_comes_back(tmp_path: Path) -> None:
    """So does one in which nothing was sampled."""
    path = tmp_path / "case.npz"
    write_series(Series({}, interval_s=2), path)
    assert plain(read_series(path)) == plain(Series({}, interval_s=2))


def test_the_file_explains_itself_to_numpy(tmp_path: Path) -> None:
    """A reader without this package finds arrays named by device and column, NaN for missing."""
    path = tmp_path / "case.npz"
    write_series(make(), path)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["GPU-a/time_s"].tolist() == [1.01, 1.11]
        power_w = arrays["GPU-a/power_w"]
        assert power_w.dtype == np.float64
        assert power_w[0] == 70.125
        assert np.isnan(power_w[1])
        about = json.loads(arrays["about"].tobytes())
    assert about["devices"]["GPU-a"]["source"]["name"] == "nvmlDeviceGetPowerUsage"


def test_a_long_series_takes_little_room(tmp_path: Path) -> None:
    """An hour of a board at rest is no burden beside the run file."""
    series = Series({"GPU-a": Track(("power_w", "temperature_c"))}, interval_s=0.1)
    for k in range(36_000):
        series.add([[k / 10, 70.0, 35.0]])
    path = tmp_path / "case.npz"
    write_series(series, path)
    assert path.stat().st_size < 200_000


def test_writing_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    """Nothing else stays in the folder, and everybody may read the file."""
    path = tmp_path / "case.npz"
    path.write_bytes(b"an older one")
    write_series(make(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["case.npz"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert read_series(path).devices == ["machine", "GPU-a"]


def test_what_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """It says where, why and what to do, and leaves nothing behind."""
    (tmp_path / "case.npz").mkdir()
    with pytest.raises(LemError) as caught:
        write_series(make(), tmp_path / "case.npz")
    assert caught.value.kind is FailureKind.STORAGE
    assert str(caught.value) == (
        f"cannot write the series to {tmp_path / 'case.npz'} (Is a directory); make room there, or "
        "let --lem-store name another folder"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["case.npz"]


def text(content: str) -> np.ndarray:
    """Return text as it stands in the file."""
    return np.frombuffer(content.encode(), dtype=np.uint8)


def rewritten(path: Path, **changes: object) -> None:
    """Write the file of a series with other arrays in it; None leaves one out."""
    write_series(make(), path)
    with np.load(path, allow_pickle=False) as found:
        arrays = {**found, **{name.replace("__", "/"): value for name, value in changes.items()}}
    with path.open("wb") as file:
        np.savez(file, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"about": None}, "about"),
        ({"about": text("{")}, "Expecting property name"),
        ({"about": text('{"version": 2}')}, "its layout is version 2, not 1"),
        ({"about": text("[]")}, "list indices must be"),
        ({"machine__memory_bytes": None}, "machine/memory_bytes"),
        ({"machine__memory_bytes": np.ones(3)}, "the columns of machine differ in length"),
        ({"machine__memory_bytes": np.array(["a", "b"])}, "an array is of type <U1"),
        ({"machine__time_s": np.array([2.0, 1.0])}, "the times of machine are out of order"),
        ({"machine__time_s": np.array([{}, {}])}, "an array is of type |O"),
    ],
)
def test_a_file_that_is_no_series_is_a_sentence(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    """Whatever is wrong is told in one line, and nothing in the file is executed."""
    path = tmp_path / "case.npz"
    rewritten(path, **changes)
    with pytest.raises(LemError) as caught:
        read_series(path)
    assert caught.value.kind is FailureKind.DATA
    assert f"the series in {path} cannot be read (" in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """The system's own reason is enough."""
    with pytest.raises(LemError, match=r"cannot be read \(No such file or directory\); measure"):
        read_series(tmp_path / "none.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Return a path to write to, and the bytes of a whole file."""
    path = tmp_path_factory.mktemp("damaged") / "case.npz"
    write_series(make(), path)
    return path, path.read_bytes()


@settings(deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), is_cut=st.booleans())
def test_a_damaged_file_is_read_or_refused(
    whole: tuple[Path, bytes], place: float, value: int, *, is_cut: bool
) -> None:
    """A byte that changed, or an end that is missing, never gives another error."""
    path, content = whole
    at = int(place * len(content))
    path.write_bytes(content[:at] + (b"" if is_cut else bytes([value]) + content[at + 1 :]))
    try:
        assert read_series(path).devices
    except LemError as error:
        assert error.kind is FailureKind.DATA  # noqa: PT017 - both outcomes are right


def test_csv_has_a_line_for_each_device_and_sample() -> None:
    """Lines are in the order of time, units stand in the header, what is missing is empty."""
    out = io.StringIO()
    write_csv(make(), out)
    assert out.getvalue().splitlines() == [
        "time_s,device,utilisation,memory_bytes,power_w,throttle_bits",
        "1.000001,machine,0.25,68719476737,,",
        "1.010000,GPU-a,,,70.125,4",
        "1.100000,machine,,68719476736,,",
        "1.110000,GPU-a,,,,2047",
    ]
