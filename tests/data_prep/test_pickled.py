"""Pickled lists are read, and nothing in a pickle is ever executed."""

import pickle

import pytest

from data_prep.declare import DataError
from data_prep.fetch.pickled import read_strings
from tests.data_prep.miniature import pickled


def write(tmp_path, content):
    path = tmp_path / "list.cP"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("names", [[], ["a/b-0-29.npy"], ["one", "two", "three"]])
def test_lists_are_read_in_order(tmp_path, names):
    content = pickled(names)
    assert pickle.loads(content) == names  # the helper writes what Python would
    assert read_strings(write(tmp_path, content)) == names


class Evil:
    """Unpickling it calls `bytearray.extend` … or anything else."""

    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("what", [Evil(), ["a", Evil()], {"a": "b"}, ["a", 1], "a"])
def test_anything_else_is_refused_unexecuted(tmp_path, capsys, protocol, what):
    path = write(tmp_path, pickle.dumps(what, protocol))
    with pytest.raises(DataError, match=r"list\.cP"):
        read_strings(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"(lp1\nS'a'\np2\na",  # cut short
        b"(lp1\nS'a'\np2\n.",  # never appended
        b"(lp1\nS'a'\np2\naS'b'\n",
        b"(lp1\n(lp2\na.",  # a list in a list
        b"(lp1\nS'\\xc3\\xa9'\np2\na.",  # not ASCII
        b"S'a'\n.",
        b"(lp1\naS'a'\n.",
        b"<html>please log in</html>",
    ],
)
def test_other_forms_are_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"list\.cP"):
        read_strings(write(tmp_path, content))
