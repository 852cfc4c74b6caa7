"""Arrays in numpy's own file, written and read without numpy.

The file is a zip of one `.npy` for each array (numpy, NEP 1). Importing numpy for it would take a
third of a second in the process that measures, and break tests that run pytest inside themselves.
"""

from __future__ import annotations

import io
import re
import zipfile
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MAGIC = b"\x93NUMPY\x01\x00"
#: The header is padded so that the data begin at a multiple of this.
_ALIGNMENT = 64
#: Doubles, and bytes of text.
_TYPES = {"<f8": "d", "|u1": "B"}
#: The header as numpy writes it, with the order of its words; it is compared, not evaluated.
_HEAD = re.compile(
    r"\{'descr': '([^']*)', 'fortran_order': (?:False|True), 'shape': (\([\d, ]*\))(?:, )?\} *\n"
)

Arrays = Mapping[str, "array[Any]"]


def packed(arrays: Arrays) -> bytes:
    """Return the content of a file with arrays of doubles (`d`) or bytes (`B`), compressed.

    The same arrays make the same file at any time: it has no date.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            place = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(place, _head(values) + values.tobytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def unpacked(path: Path) -> dict[str, array[Any]]:
    """Return the arrays of a file; raises OSError, ValueError or BadZipFile."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile):
        raise
    except Exception as error:
        # Encrypted, compressed in another way, or damaged: each raises something of its own.
        raise zipfile.BadZipFile(str(error) or repr(error)) from error
    return {name.removesuffix(".npy"): _array(content) for name, content in contents.items()}


def _head(values: array[Any]) -> bytes:
    kind = next(name for name, code in _TYPES.items() if code == values.typecode)
    text = str({"descr": kind, "fortran_order": False, "shape": (len(values),)})
    length = len(_MAGIC) + 2 + len(text) + 1
    text += " " * (-length % _ALIGNMENT) + "\n"
    return _MAGIC + len(text).to_bytes(2, "little") + text.encode("latin1")


def _array(content: bytes) -> array[Any]:
    start = len(_MAGIC) + 2
    if content[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it holds something that is no array")
    end = start + int.from_bytes(content[len(_MAGIC) : start], "little")
    head = _HEAD.fullmatch(content[start:end].decode("latin1"))
    if head is None:
        raise ValueError("an array has a header that cannot be read")
    kind, shape = head.groups()
    if kind not in _TYPES:
        raise ValueError(f"an array is of type {kind}")
    values: array[Any] = array(_TYPES[kind])
    values.frombytes(content[end:])
    if shape != f"({len(values)},)":
        raise ValueError(f"the shape of an array is {shape}, and not ({len(values)},)")
    return values
