"""How much audio a command is asked to tag, and how long that will take."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import soundfile

from mirkeras.storage.memory import Stamp
from mirkeras.system.estimate import spoken
from mirkeras.tagging.tagger import Tagged, Tagger

#: Files whose headers are read for their length; the others count by their size.
_LOOKED_AT = 100
#: Files that are tried, and how many seconds of each.
_TRIED, _SECONDS = 4, 60.0
#: Seconds that trying takes at least.
_LEAST = 1.0


def size(path: Path) -> int:
    """Bytes of a file, which go by its length; 0 if it is gone."""
    return max(0, Stamp.of(path).size)


def length(files: Sequence[Path]) -> float | None:
    """Seconds of audio in files, from the headers of some; None if none of these can be read."""
    seconds, looked_at = 0.0, 0
    for path in _spread(files, _LOOKED_AT):
        with suppress(soundfile.LibsndfileError, OSError, RuntimeError):
            seconds += soundfile.info(path).duration
            looked_at += size(path)
    return seconds / looked_at * sum(map(size, files)) if looked_at else None


def said(files: Sequence[Path]) -> str:
    """Say how much there is to tag."""
    seconds = length(files)
    audio = "of unknown length" if seconds is None else f"about {spoken(seconds)} of audio"
    return f"{len(files):,} files, {audio}"


def plan(files: Sequence[Path], tagger: Tagger) -> str:
    """Try some files, and say how long all of them will take."""
    if not files:
        return "plan: nothing is left to tag"
    seconds, tried = length(files), _spread(files, _TRIED)
    tagger.at_most = _SECONDS
    list(tagger.tag_all(tried[:1]))  # the first batch takes longer
    began, heard, rounds = time.monotonic(), [], 0
    while not rounds or (heard and time.monotonic() - began < _LEAST):
        rounds += 1
        heard += [one.seconds for _, one in tagger.tag_all(tried) if isinstance(one, Tagged)]
    took = time.monotonic() - began
    tagger.at_most = None
    if not heard:
        return f"plan: {said(files)}; none of the {len(tried)} that were tried can be tagged"
    speed = sum(heard) / took
    needs = "" if seconds is None else f": about {spoken(seconds / speed)}"
    return (
        f"plan: {said(files)}{needs} by {tagger.model.name}, {speed:.0f} × real time "
        f"({len(heard) // rounds} of {len(tried)} that were tried could be tagged)"
    )


def _spread(files: Sequence[Path], many: int) -> list[Path]:
    """Take some files, evenly spaced."""
    many = min(many, len(files))
    return [files[number * len(files) // many] for number in range(many)]
