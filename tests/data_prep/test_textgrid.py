"""TextGrids: both forms, both encodings, and what is wrong with one."""

import pytest

from data_prep.declare import DataError
from data_prep.fetch.textgrid import Interval, read_tiers
from tests.data_prep.jingju import grid, tier

LONG = grid(tier("line", [(0, 2.5, 'sh""ou" 1')]).replace('" 1"', '"" 1"'), seconds=2.5)
SHORT = """\
File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
2
"TextTier"
"points"
0
2.5
1
1.25
"here"
"IntervalTier"
"details"
0
2.5
2
0
1.06
" "
1.06
2.5
"r\\'"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_both_forms_are_read_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "a.TextGrid"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_text(mark + SHORT, encoding=encoding)
    details = [Interval(0, 1.06, "", 22), Interval(1.06, 2.5, "r\\'", 25)]
    assert read_tiers(path) == {"details": details}
    path.write_text(mark + grid(tier("línea", [(0, 1, "唱"), (1, 2.5, 'a ""b""')]), seconds=2.5),
                    encoding=encoding)  # fmt: skip
    texts = [(interval.text, interval.line) for interval in read_tiers(path)["línea"]]
    assert texts == [("唱", 18), ('a "b"', 22)]


@pytest.mark.parametrize(
    ("old", "new", "line", "why"),
    [
        ('"TextGrid"', '"Sound"', 2, "this is no TextGrid"),
        ("2.5\n2\n0", "2.5\nx\n0", 21, "the tiers should end before 1.06"),
        ('1.06\n" "', '1.06\n12', 22, "a text in quotes is expected, found 12"),
        ('1.06\n" "', '1.06\n"', 25, "a number is missing at the end"),
        ("1.06\n2.5\n", "1.06\n1.06\n", 25, r"'details' is empty \(1.06 to 1.06 s\)"),
        ("1.06\n2.5\n", "1.05\n2.5\n", 25, "begins at 1.05 s, before 1.06 s"),
        ("1.06\n2.5\n", "1.06\n2.5.1\n", 24, "a number is expected, found 2.5.1"),
        ("\"r\\'\"\n", "", 24, "a text in quotes is missing at the end"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_line(tmp_path, old, new, line, why):
    assert SHORT.count(old) == 1
    path = tmp_path / "b.TextGrid"
    path.write_text(SHORT.replace(old, new))
    with pytest.raises(DataError, match=rf"b\.TextGrid, line {line}: .*{why}"):
        read_tiers(path)


def test_what_is_no_text_is_refused(tmp_path):
    path = tmp_path / "c.TextGrid"
    path.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(DataError, match=r"c\.TextGrid, line 1: this is no UTF-8"):
        read_tiers(path)
