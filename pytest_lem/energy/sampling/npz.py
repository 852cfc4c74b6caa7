"""Arrays in numpy's own file, written and read without numpy.

The file is a zip of one `.npy` for each array (numpy, NEP 1). Importing numpy for it would take a
third of a second in the process that measures, and break tests that run pytest inside themselves.
"""

from __future__ import annotations

import ast
import io
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

Arrays = Mapping[str, "array[Any]"]


def packed(arrays: Arrays) -> bytes:
    """Return the content of a file with arrays of doubles (`d`) or bytes (`B`), compressed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            archive.writestr(f"{name}.npy", _head(values) + values.tobytes())
    return content.getvalue()


def unpacked(path: Path) -> dict[str, array[Any]]:
    """Return the arrays of a file; raises OSError, ValueError or BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return {name.removesuffix(".npy"): _array(archive.read(name)) for name in names}


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
    head = ast.literal_eval(content[start:end].decode("latin1"))
    if head["descr"] not in _TYPES:
        raise ValueError(f"an array is of type {head['descr']}")
    values: array[Any] = array(_TYPES[head["descr"]])
    values.frombytes(content[end:])
    if head["shape"] != (len(values),):
        raise ValueError("an array is cut short")
    return values
