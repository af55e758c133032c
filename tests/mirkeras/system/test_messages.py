"""Messages are one line, whatever names they speak of."""

import os

import pytest

from data_prep.declare import DataError
from mirkeras.system.errors import UsageError, as_command, explained, say, shown


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("rock\r", r"rock\r"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred\x7f\x85", r"\x1b[31mred\x7f\x85"),
        ("a\u2028b\u202egpj", r"a\u2028b\u202egpj"),
        ("Ünïcode 音楽 e\u0301 😀 'q' $x$ \\", "Ünïcode 音楽 e\u0301 😀 'q' $x$ \\"),
        (os.fsdecode(b"\xff"), os.fsdecode(b"\xff")),  # its byte comes out as it went in
    ],
)
def test_what_cannot_be_seen_of_a_name_is_escaped(name: str, picture: str) -> None:
    assert shown(name) == picture
    assert str(UsageError(f"{name}: no")) == f"{picture}: no"
    assert explained(OSError(28, "full", name)).startswith(f"{picture}: full; make room")


def test_only_messages_with_lines_of_their_own_have_lines(capsys) -> None:
    @as_command
    def command(error: Exception) -> int:
        raise error

    assert command(UsageError("a\nb")) == 1
    assert command(DataError("so:\n  a/\x1b\n  b/")) == 1
    say("x\r\ny")
    said = capsys.readouterr().err
    assert said == "error: a\\nb\nerror: so:\n  a/\\x1b\n  b/\nx\\r\ny\n"
