"""Long files piece by piece: samples and frames as of `audio` and `features`, in little memory.

What comes out is what `audio.load` and `Recipe.extract` give for the whole file; the tests compare
them. `ahead` lets several files be read at once while somebody else computes.
"""

from collections.abc import Iterable, Iterator

import numpy as np


def segments(pieces: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Cut a stream of frames into segments.

    Parameters
    ----------
    pieces
        Frames as of `frames`, each (time, band).
    length, hop
        Frames of a segment, and from one to the next: at most `length`.

    Yields
    ------
    np.ndarray
        As many segments as are complete, read-only views: shape (segments, length, band). The rest
        at the end that fills none is left out, but a track shorter than a segment is repeated until
        it fills one.
    """
    held, cut = None, 0
    for piece in pieces:
        held = piece if held is None else np.concatenate([held, piece])
        count = (len(held) - length) // hop + 1
        if count > 0:
            view = np.lib.stride_tricks.sliding_window_view(held, length, axis=0)
            yield view[: count * hop : hop].transpose(0, 2, 1)
            held, cut = held[count * hop :], cut + count
    if not cut and held is not None and len(held):
        yield np.tile(held, (-(-length // len(held)), 1))[None, :length]
