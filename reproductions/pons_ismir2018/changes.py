"""What has changed around the released taggers since 2019, measured, for `parity`."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mirkeras.features import find_recipe
from mirkeras.pretrained.cards import Card
from mirkeras.pretrained.weights import load
from reproductions.pons_ismir2018 import musicnn, originals
from reproductions.pons_ismir2018.replay import replay
from reproductions.pons_ismir2018.rows import Comparison, compare, cut, run

Sounds = Sequence[tuple[str, np.ndarray]]


def changes(released: Sequence[tuple[Card, Path]], sounds: Sounds) -> list[Comparison]:
    """Measure features, taggrams on them, the pools of MSD_vgg, and the learning rates.

    Parameters
    ----------
    released : sequence of (Card, Path)
        The cards of the four taggers whose weights are at hand.
    sounds : sequence of (name, samples at 16 kHz)
    """
    if not released:
        return []
    rows = [row for sound in sounds for row in _features(*sound)]
    for card, path in released:
        rows += _on_features(card, path, sounds)
        if card.name == "MSD_vgg":
            rows += _package_pools(card, path, sounds)
    return [*rows, *(_rates(card, path) for card, path in released)]


def _features(name: str, samples: np.ndarray) -> Iterator[Comparison]:
    """Compare the recipe with the extractor's call, then with its float16, and with zeros."""
    ours = find_recipe("musicnn").extract(samples)
    theirs = originals.features(samples)
    yield compare("recipe musicnn", name, "features, librosa's call in float32", ours, theirs)
    half = originals.features(samples, half=True)
    note = f"{np.isinf(half).sum():,} of {half.size:,} bins are infinite there"
    yield compare("recipe musicnn", name, "features, float16 as in 2019", ours, half, note=note)
    zeros = originals.features(samples, edges="constant")
    note = f"{(np.abs(ours - zeros).max(axis=1) > 1e-4).sum()} frames differ"
    yield compare("recipe musicnn", name, "features, zeros at the ends", ours, zeros, note=note)


def _cut(frames: np.ndarray) -> np.ndarray:
    return cut(frames, musicnn.FRAMES)


def _on_features(card: Card, path: Path, sounds: Sounds) -> Iterator[Comparison]:
    """Run the authors' graph on today's features, on those of 2019, and with zeros at the ends."""
    with originals.Original(card.source, path) as original:
        for name, samples in sounds:
            segments = _cut(find_recipe("musicnn").extract(samples))
            if not len(segments):
                continue
            today = original.run(segments)["taggram"]
            for what, options in (
                ("float16 as in 2019", {"half": True}),
                ("zeros at the ends", {"edges": "constant"}),
            ):
                fed = _cut(originals.features(samples, **options))
                then = original.run(fed)["taggram"]
                note = _overflow(fed, today, then)
                yield compare(card.name, name, f"taggram, {what}", today, then, note=note)


def _overflow(segments: np.ndarray, today: np.ndarray, then: np.ndarray) -> str:
    """Say what infinite bins do to scores, and how much the others differ."""
    infinite = np.isinf(segments).any(axis=(1, 2))
    if not infinite.any():
        return ""
    lost = (~np.isfinite(then)).any(axis=1).sum()
    text = f"{infinite.sum()} of {len(then)} segments hold infinite bins, {lost} lack finite scores"
    if infinite.all():
        return text
    return f"{text}; the others differ by {np.abs(today - then)[~infinite].max():.0e} at most"


def _package_pools(card: Card, path: Path, sounds: Sounds) -> Iterator[Comparison]:
    """Run MSD_vgg's weights with the pools of MTT_vgg, as the package does."""
    trained = load(card, path)
    packaged = load(replace(card, build=partial(musicnn.vgg, len(card.tags))), path)
    for name, samples in sounds:
        segments = _cut(find_recipe("musicnn").extract(samples))
        if not len(segments):
            continue
        ours, theirs = (run(network, segments)[0] for network in (trained, packaged))
        same = len(set(_top(ours, card)) & set(_top(theirs, card)))
        note = f"{same} of the first 10 tags are the same"
        yield compare(card.name, name, "taggram, pools of the package", ours, theirs, note=note)


def _top(taggram: np.ndarray, card: Card) -> list[str]:
    return [card.tags[n] for n in np.argsort(-taggram.mean(axis=0))[:10]]


def _rates(card: Card, path: Path) -> Comparison:
    """Replay the log of the training."""
    with zipfile.ZipFile(path) as wheel:
        log = wheel.read(f"{card.source.member}/train_log.tsv").decode()
    found = replay(log)
    share = 1 - found.resolved / found.epochs
    what = "learning rates, share not reproduced"
    return Comparison(card.name, "train_log.tsv", what, share, found.epochs, note=str(found))
