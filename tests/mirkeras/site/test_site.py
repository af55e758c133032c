"""`mirkeras report`: the site of a small training, whole, escaped, quick the second time."""

import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import numpy as np
import pytest

from mirkeras.cli.app import main
from mirkeras.cli.train import train
from mirkeras.experiment import records
from mirkeras.site import details, gather, proof, write
from mirkeras.site.html import slug
from mirkeras.storage.folders import whole_folder
from mirkeras.system.errors import UsageError
from tests.conftest import make_classes
from tests.mirkeras.site import chromium

pytestmark = pytest.mark.usefixtures("in_process")
PAPER, ROW = "pons_cbmi2016", "table1/time-1x60"
HOSTILE = '<script>alert("x")&'


class Page(HTMLParser):
    """Where a page leads, its ids, its elements and its words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.elements, self._data = path, [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.words = " ".join(" ".join(self._data).split())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._data.append(data)

    def links(self) -> list[str]:
        given = [a.get(name) for _, a in self.elements for name in ("href", "src")]
        return [link for link in given if link and not link.startswith("data:")]

    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.elements if "id" in attributes}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two folds on three classes, one of a hostile name, as are its files."""
    home = tmp_path_factory.mktemp("site")
    music = make_classes(home / "music", tracks=6)
    (music / "slow").rename(music / HOSTILE)
    for path in (music / HOSTILE).iterdir():
        path.rename(path.with_name(f"<img src=x onerror='alert(1)'>{path.name}"))
    words = ["--dataset", f"folder:{music}", "--rows", ROW, "--epochs", "2", "--folds", "2"]
    words += ["--out", str(home / "runs"), *roots(home)]
    with pytest.MonkeyPatch.context() as patch:
        # as a user's record says it: where the audio is, is read from there
        said = shlex.join(["mirkeras", "train", PAPER, *words])
        patch.setattr(records, "command_line", lambda: said)
        assert train(PAPER, words) == 0
    return home


def roots(home: Path) -> list[str]:
    return ["--cache-root", str(home / "cache"), "--data-root", str(home / "data")]


def report(home: Path, *words: str) -> int:
    given = ["--runs", str(home / "runs"), "--out", str(home / "out"), *roots(home)]
    return main(["report", *given, *words])


@pytest.fixture(scope="module")
def site(home: Path) -> Path:
    assert report(home, "--source", "runs") == 0
    return home / "out"


def pages(site: Path) -> list[Page]:
    return [Page(path) for path in sorted(site.rglob("*.html"))]


def test_every_link_leads_to_a_file_of_the_site(site: Path) -> None:
    ids = {page.path.resolve(): page.ids() for page in pages(site)}
    assert len(ids) == 4  # index, paper, records, wrong tracks
    for page in pages(site):
        for link in page.links():
            assert not re.match(r"[a-z]+:|//", link), link
            path, place = urldefrag(link)
            target = (page.path.parent / unquote(path)).resolve() if path else page.path.resolve()
            assert target.is_file(), link
            assert site.resolve() in target.parents, link
            assert not place or place in ids[target], link


def test_names_are_text_and_never_markup(site: Path) -> None:
    for page in pages(site):
        text = page.path.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert not any("onerror" in attributes for _, attributes in page.elements)
        assert not any("style" in attributes for _, attributes in page.elements)
    (paper,) = [page for page in pages(site) if page.path.name == f"{PAPER}.html"]
    assert HOSTILE in paper.words


def test_a_policy_lets_nothing_in(site: Path) -> None:
    for page in pages(site):
        (policy,) = [
            a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a
        ]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy


def test_the_paper_has_its_table_runs_and_records(site: Path, home: Path) -> None:
    (paper,) = [page for page in pages(site) if page.path.name == f"{PAPER}.html"]
    lines = [a for tag, a in paper.elements if tag == "tr" and "data-verdict" in a]
    verdicts = [line["data-verdict"] for line in lines]
    assert verdicts[0] == "different data"
    assert verdicts[1:] == ["not run"] * 11
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)', paper.path.read_text())[:2]
    assert heads == ["row", "verdict"]
    assert "Nothing was measured on the paper’s own data" in paper.words
    assert {"polyline", "details"} <= {tag for tag, _ in paper.elements}
    assert "of 18 tracks right" in paper.words
    copied = sorted(site.rglob("records/*.json"))
    assert len(copied) == 2
    originals = {path.read_bytes() for path in (home / "runs").rglob("run.json")}
    assert {path.read_bytes() for path in copied} == originals


def test_a_second_site_takes_over_what_has_not_changed(
    site: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    monkeypatch.setattr(write, "make_page", None)
    monkeypatch.setattr(gather, "gather", None)
    assert report(home, "--source", "runs") == 0
    assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_wrong_tracks_are_kept_while_another_run_comes(
    site: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = home / "runs" / PAPER / "other" / "paper" / ROW / "seed0" / "fold01of02"
    known = next(iter((home / "runs").rglob("run.json")))
    record = json.loads(known.read_text()) | {"status": "started", "dataset": "other", "fold": 0}
    records.write_record(begun, record | {"split": "drawn"})
    shutil.copyfile(known.with_name("log.csv"), begun / "log.csv")
    monkeypatch.setattr(write, "make_page", None)
    try:
        assert report(home, "--source", "runs") == 0
        text = (site / f"{PAPER}.html").read_text()
    finally:
        shutil.rmtree(home / "runs" / PAPER / "other")
    assert "Not finished" in text
    assert len(list(site.rglob("wrong/*.html"))) == 1


def test_a_failed_site_leaves_the_old_one(site: Path, home: Path, monkeypatch, capsys) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}

    def fail(*_) -> None:
        raise OSError(28, "No space left on device", "report")

    monkeypatch.setattr(write._Site, "write_index", fail)
    assert report(home, "--source", "runs", "--tracks", "1") == 1
    assert "make room" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert not list(home.glob(".out.*.part"))


def test_a_folder_of_something_else_is_left_alone(home: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "thesis.tex").touch()
    assert report(home, "--out", str(tmp_path)) == 1
    assert "is no site of mirkeras report; choose another --out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_audio_that_is_gone_is_said_on_the_page(home: Path, tmp_path: Path) -> None:
    words = ["--source", "runs", "--out", str(tmp_path / "out"), "--cache-root", str(tmp_path)]
    assert report(home, *words) == 0
    (paper,) = [p for p in pages(tmp_path / "out") if p.path.name == f"{PAPER}.html"]
    assert "No page of wrong tracks" in paper.words
    assert not list((tmp_path / "out").rglob("wrong/*"))


def test_no_runs_are_said(tmp_path: Path, capsys) -> None:
    words = ["--source", "runs", "--runs", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["report", *words]) == 1
    assert "train first, or give --runs" in capsys.readouterr().err


def test_a_killed_swap_is_put_right(tmp_path: Path) -> None:
    (tmp_path / ".site.0123abcd.old").mkdir()
    (tmp_path / ".site.0123abcd.old" / "a").touch()
    (tmp_path / ".site.0123abcd.part").mkdir()
    with pytest.raises(KeyError), whole_folder(tmp_path / "site"):
        raise KeyError
    assert (tmp_path / "site" / "a").exists()
    assert not list(tmp_path.glob(".site.*.*"))
    with whole_folder(tmp_path / "site") as folder:
        (folder / "b").touch()
        with pytest.raises(UsageError, match="another process"), whole_folder(tmp_path / "site"):
            pass
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["b"]


def test_what_is_confused_most_is_named_with_its_ties() -> None:
    matrix = np.array([[5, 2, 0, 1], [1, 5, 0, 0], [0, 0, 0, 0], [3, 0, 0, 5]])
    found = details.confused(matrix, ["a", "b", "c", "d"])
    assert found["pairs"] == [("a", "d", 1, 3), ("a", "b", 2, 1)]
    assert [line["recall"] for line in found["lines"]] == ["62.5", "83.3", "–", "62.5"]
    assert (found["right"], found["of"]) == (15, 22)


def test_the_report_of_schindler_names_other_confusions_than_its_figure_shows() -> None:
    ((figure, found),) = details.published_confusions("schindler_gtzan")
    assert figure == "Figure 7"
    assert (found["right"], found["of"]) == (214, 250)
    assert found["pairs"][0] == ("pop", "rock", 2, 3)
    assert ("blues", "rock", 1, 1) not in found["pairs"][:2]


@pytest.mark.parametrize(
    ("count", "printed", "same"),
    [
        (7_336, 7_336, True),
        (2_067_250, 2_060_000, True),  # cut
        (2_067_250, 2_070_000, True),  # rounded
        (2_067_250, 2_050_000, False),
        (7_337, 7_336, False),
        (None, 100, False),
    ],
)
def test_numbers_of_parameters_are_as_printed(count, printed, same) -> None:
    assert proof.as_printed(count, printed) is same


def test_parity_is_counted_from_what_was_measured() -> None:
    (found,) = proof.parity()
    assert found["held"] == found["of"] == 270


def test_names_of_files_are_plain_and_differ() -> None:
    names = ["a/b", "a--b", "a b", "a?b", "../x", ".x", "<b>", "x" * 300, "8o+8p", "ä"]
    made = [slug(name) for name in names]
    assert len({*made}) == len(names)
    assert all(re.fullmatch(r"[\w@+-][\w.@+-]{0,120}", name, re.ASCII) for name in made)


# ---- in a browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory):
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium or Chrome on this machine: pages are not looked at")
    with chromium.browser(program, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize("width", [1280, 880, 400])
def test_pages_fit_and_say_nothing_to_the_console(tab, site: Path, width: int) -> None:
    for path in sorted(site.rglob("*.html")):
        tab.open(path.as_uri(), width)
        tab.run("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        wide = tab.run(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, path
        broken = tab.run("[...document.images].filter((i) => i.complete && !i.naturalWidth).length")
        assert broken == 0
    assert tab.said == []
    assert all(url.startswith(("file:", "data:")) for url in tab.asked)


def test_rows_are_sorted_and_filtered(tab, site: Path) -> None:
    tab.open((site / f"{PAPER}.html").as_uri())
    shown = "[...document.querySelectorAll('tr[data-verdict]:not([hidden])')]"
    choose = "const s = document.querySelector('[data-filter=verdict]'); s.value = {}; "
    choose = "{{ " + choose + "s.dispatchEvent(new Event('change')) }}"
    tab.run(choose.format("'different data'"))
    assert tab.run(f"{shown}.length") == 1
    assert tab.run("document.getElementById('shown').textContent") == "1 of 12 lines"
    tab.run(choose.format("''"))
    assert tab.run(f"{shown}.length") == 12
    column = "[...document.querySelectorAll('details table tbody')][0].rows"
    values = (
        f"[...{column}].map((r) => Number(r.querySelector('[data-label=published]').dataset.sort))"
    )
    head = "[...document.querySelectorAll('details table thead button')][4]"
    for order in (1, -1):
        tab.run(f"{head}.click()")
        found = tab.run(values)
        assert found == sorted(found, reverse=order < 0)


def test_sound_plays(tab, site: Path) -> None:
    (page,) = site.rglob("wrong/*.html")
    tab.open(page.as_uri())
    length = tab.run(
        "new Promise((done, fail) => { const a = document.querySelector('audio');"
        "a.onloadedmetadata = () => done(a.duration); a.onerror = () => fail('no sound');"
        "a.preload = 'auto'; a.load(); })"
    )
    assert 0.5 < length < 5
    assert tab.run("[...document.images].every((i) => i.naturalWidth > 0)")
    assert tab.said == []
