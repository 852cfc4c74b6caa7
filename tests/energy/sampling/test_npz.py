"""Arrays in numpy's file, against numpy itself."""

from __future__ import annotations

import io
import struct
import sys
import time
import zipfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.energy.sampling.npz import packed, unpacked

Make = Callable[..., Path]
#: All that reading a file may raise.
REFUSALS = (OSError, ValueError, zipfile.BadZipFile)

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
DOUBLES = st.lists(st.floats(width=64), max_size=20).map(lambda found: array("d", found))
TEXTS = st.binary(max_size=300).map(lambda found: array("B", found))
ARRAYS = st.dictionaries(NAMES, DOUBLES | TEXTS, max_size=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a path to write to, again and again."""
    return tmp_path_factory.mktemp("arrays") / "case.npz"


def bits(values: Any) -> tuple[str, bytes]:
    """Return the type and the bytes of an array, in which NaN is itself."""
    made = np.asarray(values)
    return str(made.dtype), made.tobytes()


def archive(path: Path, **files: bytes) -> Path:
    """Write a zip with these contents."""
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(f"{name}.npy", content)
    return path


def head(text: str, data: bytes = b"") -> bytes:
    """Return an array as it stands in a file, with a header of any text."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1") + data


def saved(values: Any) -> bytes:
    """Return what numpy writes for one array."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(values))
    return content.getvalue()


@settings(deadline=None)
@given(ARRAYS)
def test_what_is_written_comes_back(path: Path, arrays: dict[str, array[Any]]) -> None:
    """To the last bit, under its name, in its order."""
    path.write_bytes(packed(arrays))
    found = unpacked(path)
    assert list(found) == list(arrays)
    assert [a.typecode for a in found.values()] == [a.typecode for a in arrays.values()]
    assert [a.tobytes() for a in found.values()] == [a.tobytes() for a in arrays.values()]


@settings(deadline=None)
@given(ARRAYS)
def test_numpy_reads_what_is_written(path: Path, arrays: dict[str, array[Any]]) -> None:
    """Without pickles, as arrays of one dimension that begin where numpy aligns them."""
    path.write_bytes(packed(arrays))
    with np.load(path, allow_pickle=False) as found:
        assert {name: bits(found[name]) for name in found.files} == {
            name: bits(np.frombuffer(values, values.typecode)) for name, values in arrays.items()
        }
        assert all(found[name].ndim == 1 for name in found.files)
    with zipfile.ZipFile(path) as zipped:
        for name, values in arrays.items():
            whole = zipped.read(f"{name}.npy")
            assert (len(whole) - len(values.tobytes())) % 64 == 0


@settings(deadline=None)
@given(ARRAYS, st.booleans())
def test_what_numpy_writes_is_read(
    path: Path, arrays: dict[str, array[Any]], is_compressed: bool
) -> None:
    """Compressed or not."""
    made = {f"a{i}": np.frombuffer(v, v.typecode) for i, v in enumerate(arrays.values())}
    with path.open("wb") as file:
        (np.savez_compressed if is_compressed else np.savez)(file, **made)
    found = unpacked(path)
    assert {name: bits(values) for name, values in found.items()} == {
        name: bits(values) for name, values in made.items()
    }


@pytest.mark.parametrize("count", [0, 1, 9, 10, 99, 100, 10**5])
def test_every_length_of_the_header_is_aligned(path: Path, count: int) -> None:
    """The number of values stands in it, and moves what follows."""
    path.write_bytes(packed({"a": array("d", bytes(8 * count))}))
    with np.load(path, allow_pickle=False) as found:
        assert found["a"].shape == (count,)


def test_the_same_arrays_make_the_same_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it is written, also by a clock that stands before the first date of a zip."""
    made = {"a": array("d", [1.0]), "b": array("B", b"text")}
    first = packed(made)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert packed(made) == first


def test_what_repeats_takes_little_room() -> None:
    """The file is compressed."""
    assert len(packed({"a": array("d", bytes(800_000))})) < 2000


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.ones(2, ">f8"), "an array is of type >f8"),
        (np.ones(2, "<f4"), "an array is of type <f4"),
        (np.array(["a"]), "an array is of type <U1"),
        (np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), "a header that cannot be read"),
        (np.ones((2, 2)), r"the shape of an array is \(2, 2\), and not \(4,\)"),
        (np.array(1.0), r"the shape of an array is \(\), and not \(1,\)"),
    ],
    ids=["other-end", "singles", "text", "records", "two-dimensions", "no-dimension"],
)
def test_other_arrays_of_numpy_are_refused(path: Path, values: Any, why: str) -> None:
    """With the reason, and never taken for what they are not."""
    with pytest.raises(ValueError, match=why):
        unpacked(archive(path, a=saved(values)))


class TestDamage:
    """What is wrong with a file raises what is documented, and nothing else."""

    @settings(deadline=None)
    @given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), is_cut=st.booleans())
    def test_a_byte_that_changed_or_an_end_that_is_missing(
        self, path: Path, place: float, value: int, *, is_cut: bool
    ) -> None:
        """The file is read or refused."""
        content = packed({"GPU-a/power_w": array("d", [1.5] * 50), "about": array("B", b"{}")})
        at = int(place * len(content))
        path.write_bytes(content[:at] + (b"" if is_cut else bytes([value]) + content[at + 1 :]))
        try:
            assert all(isinstance(values, array) for values in unpacked(path).values())
        except REFUSALS as error:
            assert str(error)  # noqa: PT017 - both outcomes are right

    @pytest.mark.parametrize("start", [b"\x93NUMPY\x02\x00", b"\x93NUMPX\x01\x00"])
    def test_another_beginning_than_that_of_an_array(self, path: Path, start: bytes) -> None:
        """Another version of the format may mean something else by the rest."""
        whole = saved(np.ones(3))
        assert list(unpacked(archive(path, a=whole))["a"]) == [1.0] * 3
        with pytest.raises(ValueError, match="no array"):
            unpacked(archive(path, a=start + whole[8:]))

    @settings(deadline=None)
    @given(st.binary(max_size=80))
    def test_any_bytes_for_an_array(self, path: Path, content: bytes) -> None:
        """Also behind numpy's own beginning."""
        for start in (b"", b"\x93NUMPY\x01\x00"):
            with pytest.raises(ValueError):
                unpacked(archive(path, a=start + content))

    @settings(deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["descr", "shape"]), inner)
                | st.tuples(inner, inner)
            ),
            max_leaves=5,
        ).map(repr)
        | st.text(st.characters(max_codepoint=255))
    )
    def test_any_header(self, path: Path, text: str) -> None:
        """Whether it is Python or not."""
        with pytest.raises(ValueError):
            unpacked(archive(path, a=head(text, bytes(24))))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "None",
            "{}",
            "{'shape': (3,)}",
            "{'descr': '<f8'}",
            "{'descr': '<f8', 'shape': (2,)}",
            "{'descr': '<f8', 'shape': 3}",
            "{'descr': ['<f8'], 'shape': (3,)}",
            "{'descr': {}, 'shape': (3,)}",
            "{['<f8']: 1}",
            "(" * 30_000,
            "-" * 30_000 + "1",
            "[" * 150 + "]" * 150,
            "1" * 5_000,
        ],
        ids=lambda text: text[:32],
    )
    def test_a_header_that_says_nothing_of_use(self, path: Path, text: str) -> None:
        """However deep it is, and whatever its parser thinks of it."""
        with pytest.raises(ValueError):
            unpacked(archive(path, a=head(text, bytes(24))))

    @pytest.mark.parametrize(
        "text",
        [
            "__import__('sys').modules.setdefault('executed', 1)",
            "{'descr': '<f8', 'shape': (__import__('sys').modules.setdefault('executed', 1),)}",
            "[m.setdefault('executed', 1) for m in [__import__('sys').modules]]",
        ],
    )
    def test_a_header_is_not_executed(self, path: Path, text: str) -> None:
        """It is a program only for those who run it."""
        with pytest.raises(ValueError):
            unpacked(archive(path, a=head(text, bytes(24))))
        assert "executed" not in sys.modules

    def test_a_pickle_is_not_opened(self, path: Path) -> None:
        """What numpy would execute with leave is of a type that is not read."""
        with path.open("wb") as file:
            np.savez(file, a=np.array([_Trap()], dtype=object))
        with pytest.raises(ValueError, match=r"an array is of type \|O"):
            unpacked(path)
        assert "executed" not in sys.modules

    @pytest.mark.parametrize("method", [9, 12, 14, 99])
    def test_a_way_of_compression_that_does_not_fit(self, path: Path, method: int) -> None:
        """Known to Python or not, with or without its library."""
        content = bytearray(packed({"a": array("d", [1.0] * 9)}))
        for start, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            at = content.index(start) + offset
            content[at : at + 2] = struct.pack("<H", method)
        path.write_bytes(content)
        with pytest.raises(REFUSALS):
            unpacked(path)

    def test_a_file_that_is_encrypted(self, path: Path) -> None:
        """There is no password to ask for."""
        content = bytearray(packed({"a": array("d", [1.0])}))
        for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(start) + offset] |= 1
        path.write_bytes(content)
        with pytest.raises(zipfile.BadZipFile, match="encrypted"):
            unpacked(path)

    @pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"\x93NUMPY\x01\x00"])
    def test_no_zip(self, path: Path, content: bytes) -> None:
        """As whoever reads it is told by the library."""
        path.write_bytes(content)
        with pytest.raises(zipfile.BadZipFile):
            unpacked(path)

    def test_no_file(self, tmp_path: Path) -> None:
        """The system's own error is handed on."""
        with pytest.raises(FileNotFoundError):
            unpacked(tmp_path / "none.npz")
        with pytest.raises(IsADirectoryError):
            unpacked(tmp_path)


class _Trap:
    """What shows that it was unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import sys; sys.modules['executed'] = None",)
