"""A tagger without a network: scores come from the name of a file, so they can be foretold.

As a program it is `mirkeras tag` with this tagger, slow enough to be killed:
``python -m tests.mirkeras.tagging.fake_tagger LOG SECONDS_PER_FILE ARGUMENT…``.
"""

import os
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mirkeras.audio import AudioError
from mirkeras.pretrained import cards
from mirkeras.pretrained.cards import Card, Source
from mirkeras.tagging import Tagged, command, models

LENGTH = 3.0  # seconds of a segment
SOURCE = Source("fake.npz", "f" * 64, advice="It is made up.")
CARD = Card(
    name="fake", title="A tagger that guesses", build=None, recipe="musicnn", frames=187,
    tags=("guitar", "slow, sad", "no vocals", "techno"), source=SOURCE, names={}, ignored=(),
    embeddings=("penultimate", "max_pool"), hears="what a file is called", data="nothing", split="",
    licence="none", origin="the tests", scores={"roc_auc": 0.5},
)  # fmt: skip


MODEL = models.of_card(CARD)


def guess(path: Path, features: str | None = None) -> Tagged:
    """Make up the result of a file: one to six segments."""
    random = np.random.RandomState(zlib.crc32(os.fsencode(path.name)))
    segments = random.randint(1, 7)
    return Tagged(
        path=path,
        model=CARD.name,
        tags=CARD.tags,
        starts=LENGTH * np.arange(segments),
        length=LENGTH,
        seconds=LENGTH * segments + 0.5,
        repeated=False,
        taggram=random.rand(segments, len(CARD.tags)).astype(np.float32),
        features=random.rand(segments, 5).astype(np.float32) if features else None,
    )


class FakeTagger:
    """As `mirkeras.tagging.Tagger`; files that hold "bad" and files that are gone are no audio."""

    log: Path | None = None  # gets a line per file
    pause = 0.0  # seconds per file
    asked: list[Path]

    def __init__(self, model: models.Model, *, features: str | None = None, **options) -> None:
        self.features = features
        self.asked = []
        type(self).last = self

    def tag_all(self, paths: Sequence[Path]) -> Iterator[tuple[Path, Tagged | AudioError]]:
        for path in paths:
            self.asked.append(path)
            time.sleep(self.pause)
            if self.log:
                with open(self.log, "a") as log:
                    log.write(f"{path}\n")
            yield path, self._outcome(path)

    def _outcome(self, path: Path) -> Tagged | AudioError:
        if not path.exists():
            return AudioError(path, "missing")
        if path.read_bytes() == b"bad":
            return AudioError(path, "unreadable", "no audio")
        return guess(path, self.features)


def install(patch) -> None:
    """Put the fake in the place of the real tagger; `patch` is a function as `setattr`."""
    patch(command, "Tagger", FakeTagger)
    patch(cards, "find_card", lambda name: CARD)
    patch(cards, "all_cards", lambda: {"MTT_musicnn": CARD})


if __name__ == "__main__":
    from mirkeras.cli.app import main

    FakeTagger.log, FakeTagger.pause = Path(sys.argv[1]), float(sys.argv[2])
    install(setattr)
    sys.exit(main(["tag", *sys.argv[3:]]))
