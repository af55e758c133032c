"""The page of the tracks that runs get wrong: it needs no other file and no network.

For each test track that is wrong by `max` or by majority (section IX of the report that reproduces
Schindler et al. 2016 shows three): both decisions, the scores of all segments, and its most telling
segments as the network sees them and as they sound.
"""

from collections.abc import Iterable, Sequence
from string import ascii_uppercase

import numpy as np
from tqdm import tqdm

from mirkeras.report import pictures
from mirkeras.report.pictures import data_url
from mirkeras.site.browser import disputes, excerpts
from mirkeras.site.browser.disputes import Choice, Dispute
from mirkeras.site.browser.excerpts import Tick
from mirkeras.site.browser.sources import Finished, Tracks
from mirkeras.site.html import render

MOST_CLASSES = 12  # of a heat map
MOST_BARS = 6  # of a segment
MOST_TIMES = 5  # labels below a heat map


def make_page(runs: Sequence[Tracks], most: int, segments: int, back: str = "") -> str:
    """Make the page of runs of one row on one set-up: folds, seeds.

    Parameters
    ----------
    runs : sequence of Tracks
        The runs with the tracks they were tested on.
    most : int
        Number of tracks at most, the worst first.
    segments : int
        Segments per track at most.
    back : str
        Where a link back leads; empty: there is none.

    Raises
    ------
    UsageError
        The audio of a track cannot be had, see `Tracks.samples`.
    """
    found = [
        (tracks, dispute)
        for tracks in runs
        for dispute in disputes.find(tracks.finished.predictions, tracks.finished.aggregate)
    ]
    found.sort(key=lambda pair: -pair[1].margin)
    last = runs[-1].finished
    recipe = excerpts.plain(last.recipe)
    shown = tqdm(found[:most], desc=f"{last.run.row}: tracks", unit="track", leave=False)
    return render(
        "wrong.html",
        run=last.run,
        warning=last.record.get("warning", ""),
        facts=_facts([tracks.finished for tracks in runs]),
        recipe=recipe,
        is_spectrogram=excerpts.is_spectrogram(recipe),
        is_whole=not last.frames,
        aggregate=last.aggregate,
        classes=last.predictions["classes"].tolist(),
        tested=sum(len(tracks.finished.predictions["tracks"]) for tracks in runs),
        counts={kind: sum(kind in d.kinds for _, d in found) for kind in disputes.KINDS},
        left_out=len(found) - len(found[:most]),
        tracks=[_describe_track(dispute, tracks, segments) for tracks, dispute in shown],
        several=len(runs) > 1,
        bands=excerpts.band_ticks(recipe),
        scale=_picture(pictures.colour_scale()),
        back=back,
    )


def _facts(runs: Sequence[Finished]) -> list[tuple[str, str]]:
    """List what the runs' records say of them."""
    run = runs[-1].run

    def said(values: Iterable[object]) -> str:
        return ", ".join(dict.fromkeys(str(value) for value in values if value))

    capped = [", cut short by --epochs" if one.record.get("capped") else "" for one in runs]
    epochs = [one.record.get("epochs", one.run.max_epochs) for one in runs]
    facts = [
        ("Network", f"{run.paper}/{run.row}"),
        ("Data set", run.dataset),
        ("Protocol", run.protocol),
        ("Split", run.split),
        ("Seed", said(str(one.run.seed) for one in runs)),
        ("Fold", f"{said(one.run.fold + 1 for one in runs)} of {run.folds}"),
        ("Epochs", said(f"{number}{cut}" for number, cut in zip(epochs, capped, strict=True))),
        ("Features", runs[-1].recipe.name if runs[-1].frames else "of whole tracks"),
        ("Commit", said(one.record.get("commit") or "not under version control" for one in runs)),
        ("Finished", max(one.record.get("finished", "") for one in runs)),
        ("Command", said(one.record.get("command") for one in runs)),
    ]
    return [(term, value) for term, value in facts if value]


def _describe_track(dispute: Dispute, tracks: Tracks, segments: int) -> dict:
    """Gather what the page shows of a track."""
    finished, recipe = tracks.finished, excerpts.plain(tracks.finished.recipe)
    samples = tracks.samples(dispute.track)
    spans = [
        excerpts.span(recipe, int(frame), finished.frames, len(samples)) for frame in dispute.frames
    ]
    chosen = disputes.telling(dispute, segments)
    sounds = [samples[slice(*spans[choice.segment])] for choice in chosen]
    colours = None
    if excerpts.is_spectrogram(recipe):
        inputs = tracks.inputs(dispute.track, dispute.frames[[c.segment for c in chosen]])
        colours = float(inputs.min()), float(inputs.max())
        drawn = [pictures.spectrogram(frames, *colours) for frames in inputs]
    else:
        drawn = [pictures.waveform(sound) for sound in sounds]
    return {
        "dispute": dispute,
        "run": finished.run,
        "right": int((dispute.scores.argmax(axis=1) == dispute.true).sum()),
        "colours": colours,
        **_describe_scores(dispute, chosen, [start / recipe.sample_rate for start, _ in spans]),
        "segments": [
            {
                "letter": letter(number),
                "why": choice.why,
                "number": choice.segment + 1,
                "from": spans[choice.segment][0] / recipe.sample_rate,
                "to": spans[choice.segment][1] / recipe.sample_rate,
                "times": excerpts.time_ticks(len(sounds[number]) / recipe.sample_rate),
                "picture": _picture(drawn[number]),
                "sound": data_url("audio/wav", excerpts.wav(sounds[number], recipe.sample_rate)),
                "bars": _bars(dispute.scores[choice.segment], dispute.true),
            }
            for number, choice in enumerate(chosen)
        ],
    }


def _describe_scores(dispute: Dispute, chosen: list[Choice], starts: Sequence[float]) -> dict:
    """Gather the heat map of a track and its axes; `starts` of the segments in seconds."""
    always = (dispute.true, dispute.by_max, dispute.by_majority)
    shown = disputes.leading(dispute.sums, MOST_CLASSES, always)
    winners = dispute.scores.argmax(axis=1)
    lines = np.array([shown.index(winner) if winner in shown else -1 for winner in winners])
    place = [100 * (number + 0.5) / len(starts) for number in range(len(starts))]
    labelled = np.unique(np.linspace(0, len(starts) - 1, MOST_TIMES).round().astype(int))
    return {
        "shown": shown,
        "starts": starts,
        "heat": _picture(pictures.score_map(dispute.scores[:, shown], lines)),
        "times": [Tick(f"{starts[number]:.1f} s", place[number]) for number in labelled],
        "letters": [Tick(letter(n), place[choice.segment]) for n, choice in enumerate(chosen)],
    }


def _bars(scores: np.ndarray, true: int) -> list[tuple[int, float]]:
    """List the highest scores of a segment and the true class's: (class, score), highest first."""
    shown = disputes.leading(scores, MOST_BARS, (true,))
    return sorted(((c, float(scores[c])) for c in shown), key=lambda bar: -bar[1])


def letter(number: int) -> str:
    """Name a chosen segment: A, B, …, Z, A2, B2, …"""
    round_, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(round_ + 1) if round_ else "")


def _picture(png: bytes) -> str:
    return data_url("image/png", png)
