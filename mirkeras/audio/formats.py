"""Which files are audio, by their endings, and how what is left out is told."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import soundfile

from mirkeras.audio import foreign

# libsndfile names formats, not file endings: these are the usual endings whose format has another
# name. Header-less RAW is left out because nothing in the file says how to read it.
_OTHER_ENDINGS = {
    "AIFF": ("aif", "aifc"),
    "AU": ("snd",),
    "IRCAM": ("sf",),
    "MP3": ("mp1", "mp2", "mp3", "mpga"),
    "NIST": ("sph",),
    "OGG": ("oga", "opus"),
    "WAV": ("bwf", "wave"),
}

BROKEN_LINK = "broken link"
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")  # "Mr. Brightside" has none
_TOLD = 8  # reasons at most in one line


def audio_extensions() -> frozenset[str]:
    """File endings that can be decoded here, lower case with the dot (`.wav`)."""
    return _libsndfile() | foreign.ENDINGS if foreign.available() else _libsndfile()


def undecoded() -> frozenset[str]:
    """File endings of music that cannot be decoded here."""
    return foreign.ENDINGS - audio_extensions()


@cache
def _libsndfile() -> frozenset[str]:
    known = set()
    for name in soundfile.available_formats():
        if name != "RAW":
            known |= {name.lower(), *_OTHER_ENDINGS.get(name, ())}
    return frozenset(f".{ending}" for ending in known)


def audio_among(files: Iterable[Path], left_out: dict[Path, str]) -> Iterator[Path]:
    """Pass on the files that can be decoded, by their endings.

    Parameters
    ----------
    left_out : dict
        Gets the others, with the reason: their ending in lower case, or `BROKEN_LINK`.
    """
    for file in files:
        ending = file.suffix.lower()
        if ending in audio_extensions():
            yield file
        elif os.path.islink(file) and not os.path.exists(file):  # perhaps to a folder of music
            left_out[file] = BROKEN_LINK
        else:
            left_out[file] = ending if _ENDING.fullmatch(ending) else "without an ending"


def tell_left_out(left_out: Mapping[Path, str]) -> str:
    """Put what is left out into one line: counts by reason, music first, and what helps.

    Parameters
    ----------
    left_out : mapping
        Path to reason: an ending, or words; of those the first path is named.
    """
    first = {reason: path for path, reason in reversed(left_out.items())}
    counts = Counter(left_out.values())
    order = sorted(counts, key=lambda reason: (_rank(reason), -counts[reason], reason))
    said = [
        f"{counts[reason]} × {reason}" + ("" if reason.startswith(".") else f" ({first[reason]})")
        for reason in order[:_TOLD]
    ]
    if rest := sum(counts[reason] for reason in order[_TOLD:]):
        said.append(f"{rest} × other")
    music = [reason for reason in order if reason in undecoded()]
    advice = (
        f"; {', '.join(music)} cannot be decoded: {foreign.EXTRA}, or convert to .flac or .wav "
        f"first, for example ffmpeg -i in{music[0]} out.flac"
        if music
        else ""
    )
    many = "1 file" if len(left_out) == 1 else f"{len(left_out)} files"
    return f"{many} left out ({', '.join(said)}){advice}"


def _rank(reason: str) -> int:
    """Music that is not decoded first, then what is told in words, then any other file."""
    return 0 if reason in undecoded() else 2 if reason.startswith(".") else 1
