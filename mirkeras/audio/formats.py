"""The file endings that libsndfile decodes."""

import soundfile

# libsndfile names formats, not file endings: these are the usual endings whose format has another
# name. Header-less RAW is left out because nothing in the file says how to read it.
_OTHER_ENDINGS = {
    "AIFF": ("aif", "aifc"),
    "AU": ("snd",),
    "IRCAM": ("sf",),
    "MP3": ("mp3",),
    "NIST": ("sph",),
    "OGG": ("oga", "opus"),
    "WAV": ("wave",),
}


def audio_extensions() -> frozenset[str]:
    """File endings this machine's libsndfile can decode, lower case with the dot (`.wav`)."""
    known = set()
    for name in soundfile.available_formats():
        if name != "RAW":
            known |= {name.lower(), *_OTHER_ENDINGS.get(name, ())}
    return frozenset(f".{ending}" for ending in known)
