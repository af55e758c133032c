"""The misclassification browser: the page shows what the run, its features and the audio say."""

import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib import colormaps
from matplotlib.image import imread

from data_prep.prepare import Prepared, prepare
from mirkeras import cache
from mirkeras.experiment import records
from mirkeras.experiment.runs import Run
from mirkeras.features import find_recipe
from mirkeras.report import pictures
from mirkeras.site.browser import page as pages
from mirkeras.site.browser.sources import open_tracks, read_run
from reproductions.schindler_gtzan import browser

RATE, HOP, FRAMES = 22_050, 256, 80
HOSTILE = '<script>alert("x")'
CLASSES = (HOSTILE, "metal", "rock")
RECIPE = "schindler2016-mel"

# In order of time: scores of HOSTILE, metal, rock. The first is right, and by no means on the page.
SCORES = {
    f"{HOSTILE}/a": [[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.9, 0.0, 0.1]],
    "metal/a": [[0.1, 0.5, 0.4], [0.02, 0.0, 0.98], [0.1, 0.6, 0.3]],  # rock by max
    "metal/b": [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.8, 0.1, 0.1]],  # HOSTILE by both
    "rock/a": [[0.1, 0.5, 0.4], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]],  # metal by majority
}


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tracks of noise, 3 s at the recipe's rate, 16 bits."""
    root = tmp_path_factory.mktemp("audio") / "genres"
    for seed, track in enumerate(SCORES):
        (root / track).parent.mkdir(parents=True, exist_ok=True)
        noise = 0.1 * np.random.RandomState(seed).randn(3 * RATE)
        soundfile.write(root / f"{track}.wav", noise, RATE, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def prepared(audio: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The data set, with its features in the cache."""
    root = tmp_path_factory.mktemp("cache")
    found = prepare(f"folder:{audio}", data_root=root / "data", cache_root=root)
    path = found.home / f"{RECIPE}.h5"
    cache.build_cache(found.index, found.root, find_recipe(RECIPE), path, jobs=1)
    return found


def write_run(out: Path, prepared: Prepared, **changes: object) -> Path:
    """Write a finished run with `SCORES`, its record as from `changes`."""
    features = cache.open_cache(prepared.home / f"{RECIPE}.h5")
    run = Run("schindler_gtzan", "table2/deep-100", prepared.home.name, "paper", 7, 1, 4, 100)
    record = asdict(run) | records.environment() | {"recipe": features.identity}
    record |= {"features": features.fingerprint, "status": "finished", "epochs": 100}
    records.write_record(out, record | changes)
    # within a track the segments are stored in the reverse order of time
    records.write_predictions(
        out,
        scores=np.array([line for scores in SCORES.values() for line in scores[::-1]], np.float32),
        segment_track=np.repeat(np.arange(len(SCORES)), 3),
        segment_frame=np.tile(FRAMES * np.arange(3)[::-1], len(SCORES)),
        tracks=np.array(list(SCORES)),
        labels=np.array([CLASSES.index(track.rpartition("/")[0]) for track in SCORES]),
        classes=np.array(CLASSES),
    )
    return out


def command(run: Path, prepared: Prepared, *words: str) -> int:
    data = ["--dataset", f"folder:{prepared.root}", "--cache-root", str(prepared.home.parent)]
    return browser.main([str(run), *data, "--out", str(run / "page.html"), *words])


class Page(HTMLParser):
    """The text of a page as it was written, its elements with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.elements, self._data = text, [], []
        self.feed(text)
        self.words = " ".join(" ".join(self._data).split())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._data.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict]:
        chosen = [attributes for name, attributes in self.elements if name == tag]
        return [a for a in chosen if all(a.get(key) == value for key, value in wanted.items())]


@pytest.fixture(scope="module")
def page(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = write_run(tmp_path_factory.mktemp("run"), prepared)
    assert command(run, prepared) == 0
    return Page((run / "page.html").read_text(encoding="utf-8"))


def content(attributes: dict) -> io.BytesIO:
    return io.BytesIO(b64decode(attributes["src"].partition(";base64,")[2], validate=True))


def test_the_tracks_are_there_for_their_reasons_the_worst_first(page: Page) -> None:
    # per segment, the best other class lies above the true one by 1.1/3, 0.58/3 and -0.9/3
    assert [article["data-kinds"] for article in page.all("article")] == [
        "max majority both",
        "max disputed",
        "majority disputed",
    ]
    listed = page.words[page.words.index("3 of 3 tracks") : page.words.index("both wrong")]
    assert [track for track in SCORES if f" {track} " in listed] == ["metal/a", "metal/b", "rock/a"]
    assert listed.index("metal/b") < listed.index("metal/a") < listed.index("rock/a")
    assert "2 are wrong by max, 2 by majority, 1 by both; 2 are disputed." in page.words
    assert "True class metal ; max rock ✗ wrong ; majority metal ✓ right" in page.words
    assert "largest sum of the segments’ probabilities" in page.words


def test_names_are_text_and_never_markup(page: Page) -> None:
    assert len(page.all("script")) == 1  # the page's own
    assert HOSTILE not in page.text
    assert HOSTILE in page.words


def test_nothing_comes_from_outside(page: Page) -> None:
    assert "http://" not in page.text
    assert "https://" not in page.text
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attributes.get(name, "#").startswith(("data:", "#"))
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy["content"]


def test_links_lead_somewhere_and_everything_has_a_name(page: Page) -> None:
    places = {attributes.get("id") for _, attributes in page.elements}
    assert {link["href"][1:] for link in page.all("a")} <= places
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby") in places | {None}
    assert all(image["alt"] for image in page.all("img"))
    assert all(sound["aria-label"] for sound in page.all("audio"))


def test_the_sound_is_the_segments_own_samples(page: Page, audio: Path) -> None:
    # of metal/b: the most confident wrong one, the only right one, then the one that is left
    source, _ = soundfile.read(audio / "metal/b.wav", dtype="int16")
    for sound, frame in zip(page.all("audio")[:3], (160, 80, 0), strict=True):
        samples, rate = soundfile.read(content(sound), dtype="int16")
        assert rate == RATE
        first = max(0, frame * HOP - HOP // 2)
        expected = source[first : frame * HOP - HOP // 2 + FRAMES * HOP]
        np.testing.assert_array_equal(samples, expected)


def test_the_picture_is_the_networks_input(page: Page, prepared: Prepared) -> None:
    whole = cache.open_cache(prepared.home / f"{RECIPE}.h5").track("metal/b")
    segments = np.stack([whole[frame : frame + FRAMES] for frame in (160, 80, 0)])
    low, high = segments.min(), segments.max()
    pictures = [image for image in page.all("img") if image["alt"].startswith("Spectrogram")]
    assert len(pictures) == 9
    for picture, segment in zip(pictures, segments, strict=False):
        colours = colormaps["magma"](((segment - low) / (high - low)).T[::-1])
        np.testing.assert_allclose(imread(content(picture)), colours, atol=0.02)


def test_the_map_has_a_cell_per_segment_and_class(page: Page) -> None:
    (picture,) = [image for image in page.all("img") if image["alt"].endswith("highest in 1")][:1]
    pixels = imread(content(picture))[..., :3]
    scores = np.array(SCORES["metal/b"])
    corners = pixels[:: pictures.CELL, :: pictures.CELL]
    np.testing.assert_allclose(corners, colormaps["viridis"](scores.T)[..., :3], atol=0.01)
    dots = pixels[pictures.CELL // 2 :: pictures.CELL, pictures.CELL // 2 :: pictures.CELL]
    marked = np.abs(dots - corners).max(axis=2) > 0.1
    np.testing.assert_array_equal(marked.T, scores == scores.max(axis=1, keepdims=True))


def test_the_record_is_at_the_top(prepared: Prepared, tmp_path: Path) -> None:
    said = {"command": "train --seeds <7>", "commit": "c0ffee", "warning": "Artists repeat."}
    assert command(write_run(tmp_path, prepared, **said), prepared) == 0
    words = Page((tmp_path / "page.html").read_text(encoding="utf-8")).words
    top = words[: words.index("How to read this page")]
    for fact in (*said.values(), prepared.home.name, "Split drawn", "Seed 7", "Fold 2 of 4",
                 "Epochs 100", RECIPE):  # fmt: skip
        assert fact in top


def test_product_protocols_say_that_they_sum_logarithms(prepared: Prepared, tmp_path: Path) -> None:
    run = write_run(tmp_path, prepared, protocol="student")
    assert command(run, prepared) == 0
    words = Page((run / "page.html").read_text(encoding="utf-8")).words
    assert "largest sum of the segments’ log-probabilities" in words
    assert f"{np.log(0.2 * 0.4 * 0.1):.2f}" in words  # the sum of metal, the true class of metal/b


def test_a_limit_is_said(prepared: Prepared, tmp_path: Path) -> None:
    run = write_run(tmp_path, prepared)
    assert command(run, prepared, "--tracks", "1", "--segments", "1") == 0
    page = Page((run / "page.html").read_text(encoding="utf-8"))
    assert (len(page.all("article")), len(page.all("audio"))) == (1, 1)
    assert "On this page: the 1 worst. Left out: 2 ( --tracks 3 shows all)" in page.words


def test_a_run_without_faults_has_a_page_that_says_so(prepared: Prepared, tmp_path: Path) -> None:
    run = write_run(tmp_path, prepared)
    change(run, labels=lambda arrays: np.array([0, 2, 0, 1]))
    change(run, scores=lambda arrays: np.eye(3, dtype=np.float32)[
        arrays["labels"][arrays["segment_track"]]
    ])  # fmt: skip
    assert command(run, prepared) == 0
    page = Page((run / "page.html").read_text(encoding="utf-8"))
    assert "No test track of this run is wrong or disputed" in page.words
    assert not page.all("audio")


def test_what_is_decided_as_a_whole_is_heard_from_its_beginning(
    prepared: Prepared, audio: Path, tmp_path: Path
) -> None:
    run = write_run(tmp_path, prepared, recipe={"networks": []})
    assert command(run, prepared) == 0
    page = Page((run / "page.html").read_text(encoding="utf-8"))
    assert "A track is decided as a whole" in page.words
    samples, _ = soundfile.read(content(page.all("audio")[0]), dtype="int16")
    source, _ = soundfile.read(audio / "metal/b.wav", dtype="int16")
    np.testing.assert_array_equal(samples, source)
    pictures_of = [image for image in page.all("img") if image["alt"].startswith("Waveform")]
    assert len(pictures_of) == len(page.all("audio"))


def test_folds_share_a_page(prepared: Prepared, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(fold), prepared, fold=fold) for fold in (0, 1)]
    tracks = [open_tracks(read_run(run), prepared) for run in runs]
    page = Page(pages.make_page(tracks, most=3, segments=1))
    assert "Of 8 test tracks, 4 are wrong by max" in page.words
    assert "Fold 1, 2 of 4" in page.words
    assert [f"seed 7, fold {n}" in page.words for n in (1, 2)] == [True, True]
    assert len(page.all("article")) == 3


def test_nothing_of_a_page_is_styled_or_run_but_what_its_policy_names(page: Page) -> None:
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert "unsafe" not in policy["content"]
    assert not any("style" in attributes for _, attributes in page.elements)
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        seal = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{seal}'" in policy["content"]


def change(run: Path, **arrays: Callable[[dict], np.ndarray]) -> None:
    """Write the predictions of a run anew with some arrays changed."""
    known = records.read_predictions(run)
    records.write_predictions(run, **known | {name: new(known) for name, new in arrays.items()})


def no_run(run: Path) -> None:
    (run / "run.json").unlink()


def older(run: Path) -> None:
    known = records.read_predictions(run)
    del known["segment_frame"]
    records.write_predictions(run, **known)


def tagger(run: Path) -> None:
    change(run, labels=lambda arrays: np.eye(3, dtype=np.float32)[arrays["labels"]])


def recorded(**changes: object) -> Callable[[Path], None]:
    def rewrite(run: Path) -> None:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        records.write_record(run, record | changes)

    return rewrite


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_run, "holds no run.json; give the directory of one run"),
        (recorded(status="started"), "not finished"),
        (older, "delete the folder and train again"),
        (tagger, "gives tags"),
        (recorded(dataset="gtzan"), "the run is on gtzan, --dataset says folder-genres"),
        (recorded(row="table9/none"), "of another version"),
        (recorded(recipe={"recipe": {"name": "waveform-8000"}}), "no such cache"),
        (recorded(recipe={"recipe": {"name": "schindler2016-cqt-80"}}), "no such cache"),
        (recorded(features="0" * 64), "not what the run was trained on (other audio)"),
    ],
)
def test_runs_that_cannot_be_shown_are_refused(
    spoil: Callable, message: str, prepared: Prepared, tmp_path: Path, capsys
) -> None:
    run = write_run(tmp_path, prepared)
    spoil(run)
    assert command(run, prepared) == 1
    assert message in capsys.readouterr().err
    assert not (run / "page.html").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "no audio of track metal/a"),
        (lambda path: path.write_bytes(path.read_bytes()[:-2]), "not as it was"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "not as it was"),
    ],
)
def test_audio_that_is_not_as_it_was_is_said(
    spoil: Callable, message: str, prepared: Prepared, tmp_path: Path, capsys
) -> None:
    run, path = write_run(tmp_path, prepared), prepared.root / "metal/a.wav"
    whole = path.read_bytes()
    try:
        spoil(path)
        assert command(run, prepared) == 1
    finally:
        path.write_bytes(whole)
    error = capsys.readouterr().err
    assert message in error
    assert "put back the file" in error
    assert not (run / "page.html").exists()


def test_letters_never_end() -> None:
    assert [pages.letter(number) for number in (0, 2, 25, 26, 53)] == ["A", "C", "Z", "A2", "B3"]
