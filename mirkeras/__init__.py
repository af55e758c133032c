"""mirkeras: the classic music-CNN papers, re-run in Keras and compared row by row."""

from mirkeras.system import interrupts, limits

if interrupts.is_command():  # else this is a program of the user's
    limits.require_files()
    interrupts.take_over()
    limits.require_address_space(limits.LIGHT)
    limits.require_threads()

__version__ = "0.1.0"
