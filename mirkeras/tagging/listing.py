"""The models of `mirkeras tag`, for people to read."""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mirkeras.pretrained.cards import Card, Source
from mirkeras.system.errors import shown

if TYPE_CHECKING:
    from mirkeras.tagging.models import Model

WIDTH = 88


def table(cards: Iterable[Card]) -> str:
    """Tabulate models: name, training data, published scores, number of tags, licence.

    Below each stands what it is good for.
    """
    rows, hears = [("model", "trained on", "ROC-AUC", "PR-AUC", "tags", "licence")], [""]
    for card in cards:
        hears.append(f"    {card.hears}\n")
        scores = [_score(card, name) for name in ("roc_auc", "pr_auc")]
        rows.append((card.name, card.data, *scores, str(len(card.tags)), card.licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n{below}" for line, below in zip(lines, hears, strict=True))


def description(card: Card) -> str:
    """Tell all about a model; its tags in the order of its outputs."""
    source = card.source
    facts = {
        "what": card.title,
        "good for": card.hears,
        "trained on": f"{card.data} ({card.split})" if card.split else card.data,
        "published": f"ROC-AUC {_score(card, 'roc_auc')}, PR-AUC {_score(card, 'pr_auc')}",
        "licence": card.licence,
        "origin": card.origin,
        "input": f"recipe {card.recipe}, {card.frames} frames per segment",
        "weights": f"{source.filename} {source.member}".strip(),
        "sha256": _digest(source),
        "features": ", ".join(card.embeddings),
        "to get it": source.advice,
        f"{len(card.tags)} tags": ", ".join(card.tags),
    }
    lines = (_folded(name, text) for name, text in facts.items() if text)
    return "\n".join([card.name, *lines]) + "\n"


def description_of_runs(model: "Model") -> str:
    """Tell all about finished runs that tag; their outputs in order."""
    step = model.recipe.hop / model.recipe.sample_rate
    whole = f"{model.frames} frames ({model.frames * step:.2f} s), every {model.hop * step:.2f} s"
    facts = {
        "trained on": model.data,
        "runs": f"{len(model.runs)}, averaged: {'; '.join(model.runs)}",
        "input": f"recipe {model.recipe.name}, {whole if model.frames else 'a track as a whole'}",
        "decides by": model.aggregate,
        "weights": model.weights,
        "features": ", ".join(model.features),
        f"{len(model.tags)} {'classes' if model.aggregate else 'tags'}": ", ".join(model.tags),
    }
    lines = (_folded(name, shown(text)) for name, text in facts.items() if text)
    return "\n".join([shown(model.name), *lines]) + "\n"


def _digest(source: Source) -> str:
    if not source.sha256:
        return "any file of these arrays; records hold the digest of the one given"
    return source.sha256 + (" (of the arrays)" if source.by_arrays else "")


def _score(card: Card, name: str) -> str:
    return f"{card.scores[name]:.4f}" if name in card.scores else "–"


def _folded(name: str, text: str) -> str:
    # words stay whole: a checksum or address is copied from here
    return textwrap.fill(
        text, WIDTH, initial_indent=f"  {name:<12}", subsequent_indent=" " * 14,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
