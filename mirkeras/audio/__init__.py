"""A file becomes mono float32 samples at one rate, or an error that says why not."""

from mirkeras.audio.decoding import AudioError, decode, load
