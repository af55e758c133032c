"""The site, written: pages from what was gathered, whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirkeras.evaluation import answered, errata
from mirkeras.experiment.published import papers as published_papers
from mirkeras.report import charts
from mirkeras.site import details, gather, proof
from mirkeras.site.browser.page import make_page
from mirkeras.site.browser.sources import Tracks, find_data, open_tracks, read_run
from mirkeras.site.gather import Paper
from mirkeras.site.html import FILES, STATIC, render, slug
from mirkeras.storage.files import read_json, sha256, write_text
from mirkeras.storage.folders import whole_folder
from mirkeras.system.errors import ExpectedError, UsageError

ERRATA = "errata.html"
#: What the site keeps of itself, for the next one.
KEPT, MADE_BY = "site.json", "mirkeras report"
SEGMENTS = 3  # of a track, on the pages of wrong tracks


@dataclass(frozen=True)
class Places:
    """Where things are, and how much is shown.

    Attributes
    ----------
    out, runs, data_root, cache_root : Path
        The site; runs; data sets; what is derived from them.
    source : str
        One of `gather.SOURCES`.
    tracks : int
        Wrong tracks on a page at most; 0: no such pages.
    """

    out: Path
    runs: Path
    data_root: Path
    cache_root: Path
    source: str = gather.BOTH
    tracks: int = 20


def write_site(places: Places) -> str:
    """Write the site anew; what was there is replaced when the new one is whole.

    Returns
    -------
    str
        What there is now, in a line.

    Raises
    ------
    UsageError
        The folder holds something else; there is nothing to show.
    """
    before = _before(places.out)
    names = gather.papers(places.runs)
    if places.source == gather.RUNS:
        names = tuple(name for name in names if any((places.runs / name).rglob("run.json")))
    if not names:
        raise UsageError(f"no run below {places.runs}; train first, or give --runs")
    with whole_folder(places.out) as folder:
        site = _Site(folder, places, before)
        for name in FILES:
            shutil.copyfile(STATIC / name, folder / name)
        for name in names:
            site.add_paper(name)
        if places.source != gather.RUNS:
            site.write_errata()
        site.write_index()
        site.write_kept()
        pages = sum(1 for _ in folder.rglob("*.html"))
    runs = sum(paper["counts"]["runs"] for paper in site.papers.values())
    return f"{places.out / 'index.html'}: {len(names)} papers, {runs} runs, {pages} pages"


def _before(out: Path) -> dict:
    """Read what the site that is there keeps of itself; refuse a folder of anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return {}
    try:
        kept = read_json(out / KEPT)
    except (OSError, ValueError):
        kept = None
    if not isinstance(kept, dict) or kept.get("made by") != MADE_BY:
        raise UsageError(f"{out} is no site of mirkeras report; choose another --out")
    return kept


class _Site:
    """A site that is being written."""

    def __init__(self, folder: Path, places: Places, before: dict) -> None:
        self.folder, self.places, self.before = folder, places, before
        self.papers: dict[str, dict] = {}
        self.pages: dict[str, str] = {}
        self.parameters: dict = {}

    def write(self, path: str, template: str, **given: object) -> None:
        """Write a page; templates find the site's root by `up`."""
        up = "../" * path.count("/")
        write_text(self.folder / path, render(template, up=up, **given))

    def add_paper(self, name: str) -> None:
        """Write a paper's pages, or take them over where nothing of it has changed."""
        places, home = self.places, slug(name)
        key = gather.state_of(name, places.runs, places.source, str(places.tracks))
        known = self.before.get("papers", {}).get(name)
        if known and known["key"] == key:
            self._take_over(home)
            self.papers[name] = known
            return
        paper = gather.gather(name, places.runs, places.source)
        self._write_paper(paper, home)
        facts = {"title": paper.title, "home": home, "counts": paper.counts()}
        self.papers[name] = {"key": key} | facts

    def _take_over(self, home: str) -> None:
        """Copy a paper's pages from the site that is there."""
        out = self.places.out
        for path in (out / f"{home}.html", *sorted((out / home).rglob("*.*"))):
            taken = self.folder / path.relative_to(out)
            taken.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, taken)
        pages = self.before["pages"].items()
        self.pages |= {path: seal for path, seal in pages if path.startswith(f"{home}/")}

    def _write_paper(self, paper: Paper, home: str) -> None:
        """Write a paper's page and all that it leads to."""
        rows = paper.measured.row.unique() if len(paper.measured) else ()
        for row in rows:
            self._write_records(paper, row)
        table = gather.table_lines(paper.compared)
        data = {(line["row"], line["data"]) for line in table if line["n"]}
        unrun = [line for line in table if line["verdict"] in gather.UNRUN or not line["n"]]
        found = answered.of_paper(paper.name, paper.measured)
        self.write(
            f"{home}.html",
            "paper.html",
            claims=answered.in_short(paper.name, found),
            claims_head=answered.HEAD[1:],
            answers=answered.in_full(found),
            answers_head=answered.ANSWERS,
            paper=paper,
            home=home,
            counts=paper.counts(),
            run=[line for line in table if line not in unrun],
            unrun=unrun,
            with_records=data,
            forests=[charts.forest(*pair) for pair in gather.differences(paper.compared).items()],
            published_confusions=details.published_confusions(paper.name),
            setups=self._setups(paper),
            unfinished=[
                {"run": record, "charts": details.curves([path])}
                for path, record in paper.unfinished
            ],
            figures=[self._copy_figure(home, path) for path in paper.figures],
        )

    def _write_records(self, paper: Paper, row: str) -> None:
        """Write the page of a row's runs, and beside it the records of those at hand."""
        home = slug(paper.name)
        groups = gather.records(paper, row)
        for group in groups:
            for run in group["runs"]:
                if run["folder"] is not None:
                    name = slug(str(run["folder"].relative_to(self.places.runs / paper.name)))
                    run["file"] = f"{name}.json"
                    place = self.folder / home / "records" / run["file"]
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(run["folder"] / "run.json", place)
        self.write(
            f"{home}/records/{slug(row)}.html", "records.html", paper=paper, row=row, groups=groups
        )

    def _copy_figure(self, home: str, path: Path) -> dict:
        name = f"{home}/{slug(path.stem)}.png"
        (self.folder / home).mkdir(exist_ok=True)
        shutil.copyfile(path, self.folder / name)
        return {"file": name, "name": path.stem}

    def _setups(self, paper: Paper) -> list[dict]:
        """Lay out the runs at hand: by set-up, and in each by row."""
        found = []
        for (data, folds, epochs), runs in gather.setups(paper.runs).items():
            rows: dict[str, list[tuple[Path, dict]]] = {}
            for path, record in runs:
                rows.setdefault(record["row"], []).append((path, record))
            length = f"{folds}folds-{epochs}epochs"
            lines = [self._row(paper, name, pairs, length) for name, pairs in rows.items()]
            found.append({"data": data, "folds": folds, "epochs": epochs, "rows": lines})
        return found

    def _row(self, paper: Paper, row: str, runs: Sequence[tuple[Path, dict]], length: str) -> dict:
        folders, record = [path for path, _ in runs], runs[0][1]
        line = {"row": row, "runs": len(runs), "charts": details.curves(folders)}
        line |= details.decided(folders, paper.experiment, record)
        if "confusion" in line and self.places.tracks:
            line |= self._wrong(paper, folders, length)
        return line

    def _wrong(self, paper: Paper, folders: Sequence[Path], length: str) -> dict:
        """Write the page of the tracks that runs get wrong, or say why there is none."""
        home, run = slug(paper.name), folders[0].relative_to(self.places.runs / paper.name)
        place = f"{home}/wrong/{slug('/'.join(run.parts[:-2]))}-{length}.html"
        key = self._key(folders)
        try:
            if self.before.get("pages", {}).get(place) == key:
                (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.places.out / place, self.folder / place)
            else:
                back = f"../../{home}.html"
                page = make_page(self._tracks(folders), self.places.tracks, SEGMENTS, back)
                write_text(self.folder / place, page)
        except (ExpectedError, FileNotFoundError) as error:
            return {"no_wrong": str(error)}
        self.pages[place] = key
        return {"wrong": place}

    def _tracks(self, folders: Sequence[Path]) -> list[Tracks]:
        runs = [read_run(path) for path in folders]
        roots = self.places.data_root, self.places.cache_root
        first = runs[0]
        data = find_data(first.run.dataset, first.record.get("command", ""), *roots)
        return [open_tracks(run, data) for run in runs]

    def _key(self, folders: Sequence[Path]) -> str:
        """Digest what a page of wrong tracks is made of: runs, how much is shown, this program."""
        seal = hashlib.sha256(f"{self.places.tracks} {SEGMENTS}".encode())
        own = [*STATIC.glob("wrong.*"), *STATIC.parent.glob("templates/wrong.html")]
        own += STATIC.parent.glob("browser/*.py")
        for path in (*(folder / "run.json" for folder in folders), *sorted(own)):
            seal.update(sha256(path).encode())
        return seal.hexdigest()

    def write_index(self) -> None:
        """Write the first page: what is proven, and every paper."""
        counted = self._parameters() if self.places.source != gather.RUNS else {}
        counts = [paper["counts"] for paper in self.papers.values()]
        totals = {name: sum(one[name] for one in counts) for name in counts[0]}
        self.write(
            "index.html",
            "index.html",
            papers=list(self.papers.values()),
            totals=totals,
            parameters=counted,
            same=np.sum([*counted.values(), (0, 0)], axis=0).tolist(),
            errata=ERRATA if self.places.source != gather.RUNS else "",
            parity=proof.parity() if self.places.source != gather.RUNS else [],
            source=self.places.source,
        )

    def write_errata(self) -> None:
        """Write the page of places where papers contradict themselves, if it is about papers."""
        rows = errata.errata().to_dict("records")
        for row in rows:
            row["home"] = self.papers[row["paper"]]["home"]
            row["title"] = self.papers[row["paper"]]["title"]
            row["proven"] = row["kind"] in errata.PROVEN
        self.write(ERRATA, "errata.html", rows=rows, tested=sum(row["proven"] for row in rows))

    def _parameters(self) -> dict[str, tuple[int, int]]:
        """Count parameters, unless nothing has changed since the site before did."""
        seal = proof.code_digest()
        known = self.before.get("parameters", {})
        if known.get("of") != seal:
            counts = {name: proof.parameters(name) for name in published_papers()}
            known = {"of": seal, "counts": {n: pair for n, pair in counts.items() if pair[1]}}
        self.parameters = known
        return known["counts"]

    def write_kept(self) -> None:
        """Write what the next site can take over."""
        kept = {"made by": MADE_BY, "papers": self.papers, "pages": self.pages}
        kept |= {"parameters": self.parameters} if self.parameters else {}
        write_text(self.folder / KEPT, json.dumps(kept, indent=1) + "\n")
