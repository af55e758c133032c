"""Lists of names that their authors published as Python pickles, read without executing anything.

A pickle is a program: loading one runs whatever its author, or whoever changed the file, wanted.
The lists of this field need six harmless instructions of that language (begin a list, a string,
remember, append, end). `pickletools` disassembles a file without running it; any other instruction
is refused.
"""

import pickletools
from pathlib import Path

from data_prep.declare import DataError

_ALLOWED = frozenset({"MARK", "LIST", "STRING", "PUT", "APPEND", "STOP"})


def read_strings(path: Path) -> list[str]:
    """The strings of a pickled list (protocol 0, as Python 2 wrote them), in order.

    Raises
    ------
    DataError
        The file is cut short, or holds anything but one flat list of ASCII strings.
    """
    strings, names = [], []
    try:
        for opcode, argument, _ in pickletools.genops(path.read_bytes()):
            if opcode.name not in _ALLOWED:
                raise DataError(
                    f"{path}: refused, a plain list of names does not need the instruction "
                    f"{opcode.name}. Remove the file and fetch it again."
                )
            names.append(opcode.name)
            if opcode.name == "STRING":
                strings.append(argument)
    except ValueError as error:  # cut short, an unknown instruction, not ASCII
        raise DataError(f"{path} is damaged or no pickled list ({error}).") from error
    # one list, every string appended to it, then the end; PUT only remembers what is never used
    flat = ["MARK", "LIST", *["STRING", "APPEND"] * len(strings), "STOP"]
    if [name for name in names if name != "PUT"] != flat:
        raise DataError(f"{path} holds something else than one flat list of names.")
    return strings
