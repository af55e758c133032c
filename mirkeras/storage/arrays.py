"""NumPy's files, written so that a full disk is an error and nothing else.

They are put together in memory: on a full disk `zipfile` complains once more when it is thrown
away, `np.save` forgets the system's reason, and a mapped page ends the process.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mirkeras.storage.files import write_bytes


def write_archive(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays by their names, a ``.npz``, whole."""
    archive = io.BytesIO()
    np.savez(archive, **arrays)
    write_bytes(path, archive.getbuffer())


def write_rows(path: Path, parts: Sequence[np.ndarray]) -> None:
    """Write parts, one after another, as one array, a ``.npy``, whole.

    Parameters
    ----------
    path : Path
    parts : sequence of array
        Of one dtype, shape (rows, values); they may be mapped, and are not copied together.
    """
    first, head = parts[0], io.BytesIO()
    shape = (sum(map(len, parts)), *first.shape[1:])
    form = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False}
    np.lib.format.write_array_header_1_0(head, form | {"shape": shape})
    write_bytes(path, head.getbuffer(), *map(np.ascontiguousarray, parts))
