"""mirkeras: the classic music-CNN papers, re-run in Keras and compared row by row."""

from mirkeras.system import interrupts, ulimits

if interrupts.is_command():  # else this is a program of the user's
    ulimits.require_files()
    interrupts.take_over()
    ulimits.require_address_space(ulimits.LIGHT)
    ulimits.require_threads()

__version__ = "0.1.0"
