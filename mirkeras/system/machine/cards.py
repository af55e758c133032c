"""The GPUs of this machine, and which of them each of several runs is given.

Asked of `nvidia-smi`: a command that only starts runs opens no GPU, and imports no framework for
it. Numbers in CUDA_VISIBLE_DEVICES mean what they mean there, see `mirkeras.system.backend`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from mirkeras.system import processes

VISIBLE, ORDER, BY_BUS = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
PATIENCE = 20  # seconds; a driver in trouble lets `nvidia-smi` hang for good
#: Of the free memory, for resident features: while they are copied they lie there twice.
SHARE = 0.25
LEAST = 2**30  # bytes free: a card with less is in use by others, and left to them

_LISTED = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[^)]+)\)")
_PART = re.compile(r"\s+(MIG \S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")


@dataclass(frozen=True)
class Card:
    """A GPU, or a part of one (MIG).

    Attributes
    ----------
    key : str
        What CUDA_VISIBLE_DEVICES calls it.
    name : str
        Its kind.
    free : int or None
        Bytes free; None: not known.
    """

    key: str
    name: str
    free: int | None = None

    @property
    def budget(self) -> int:
        """Bytes of features that it may hold; none where nobody says what is free."""
        return int(SHARE * (self.free or 0))


def found() -> list[Card]:
    """List the GPUs that this process may use, as CUDA orders them; empty if nobody says."""
    numbered = _numbered()
    every = [part for parts in numbered for part in parts]
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return every
    if not numbered:
        return [Card(word, "GPU") for word in tokens(visible)]
    chosen: list[Card] = []
    for word in tokens(visible):
        if word.isdecimal():
            # where CUDA counts otherwise, nobody here knows which card a number is
            known = os.environ.get(ORDER, BY_BUS) == BY_BUS and int(word) < len(numbered)
            meant = numbered[int(word)][:1] if known else []
        else:
            meant = [card for card in every if card.key.startswith(word)]
        if len(meant) != 1 or meant[0] in chosen:
            break
        chosen += meant
    return chosen


def tokens(visible: str) -> list[str]:
    """Split what CUDA_VISIBLE_DEVICES says; what follows a word that names no GPU is not seen."""
    words = [word.strip() for word in visible.split(",")]
    wrong = [not (word.isdecimal() or word.startswith(("GPU-", "MIG-"))) for word in words]
    return words[: wrong.index(True)] if True in wrong else words


def as_seen(names: Sequence[str]) -> list[Card]:
    """List the GPUs that a framework computes on, of those that `found` lists.

    Parameters
    ----------
    names : sequence of str
        Kinds of the GPUs that it sees: it leaves out what is too old for it, and of a divided GPU
        it sees one part at a time.
    """
    listed = found()
    kept = [card for card in listed if card.name in names or card.key.startswith("MIG-")]
    if names and len(kept) >= len(names):
        return kept
    visible = os.environ.get(VISIBLE)
    keys = map(str, range(len(names))) if visible is None else tokens(visible)
    return [Card(key, name) for key, name in zip(keys, names, strict=False)]


def _numbered() -> list[list[Card]]:
    """List all GPUs in the order of their numbers, each as a whole or as the parts of it."""
    wholes, parts = [], []
    for line in _told("-L").splitlines():
        if whole := _LISTED.match(line):
            wholes.append(whole)
            parts.append([])
        elif (part := _PART.match(line)) and wholes:
            parts[-1].append(Card(part[2], f"{wholes[-1][2]} {part[1]}"))
    free = _free() if wholes else {}
    return [
        cut or [Card(whole[3], whole[2], free.get(whole[3]))]
        for whole, cut in zip(wholes, parts, strict=True)
    ]


def _free() -> dict[str, int]:
    """Bytes free by GPU; some answer "[N/A]", and parts of one are not told of."""
    told = _told("--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits")
    pairs = [line.rpartition(",") for line in told.splitlines()]
    return {key.strip(): int(mib) * 2**20 for key, _, mib in pairs if mib.strip().isdecimal()}


def _told(*arguments: str) -> str:
    """What `nvidia-smi` answers; nothing where it is not there, fails, or hangs."""
    if not shutil.which("nvidia-smi"):
        return ""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        ["nvidia-smi", *arguments], stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere
    )
    try:
        answer, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()  # and not waited for: what hangs in a driver does not even die
        return ""
    return answer.decode(errors="replace") if process.returncode == 0 else ""


@dataclass(frozen=True)
class Share:
    """What runs have of a card.

    Attributes
    ----------
    card : Card
    runs : int
        How many may be on it at once.
    budget : int
        Bytes of features that each may hold there.
    """

    card: Card
    runs: int
    budget: int


def spread(cards: Sequence[Card], runs: int) -> list[Share]:
    """Plan which cards so many runs at once are on, the emptiest first."""
    roomy = [card for card in cards if card.free is None or card.free >= LEAST] or [*cards]
    roomy.sort(key=lambda card: -(card.free or 0))
    # each next run goes to the first of the cards that have the fewest
    most = [len(range(place, runs, len(roomy))) for place in range(len(roomy))]
    return [
        Share(card, count, card.budget // count)
        for card, count in zip(roomy, most, strict=True)
        if count
    ]


class Places:
    """The cards of runs under way: each run has one, the one with the fewest of them.

    Parameters
    ----------
    cards : sequence of Card
        None where there are no GPUs: then runs are given nothing.
    runs : int
        How many there are at once.
    """

    def __init__(self, cards: Sequence[Card], runs: int) -> None:
        self._shares = spread(cards, runs)
        self._taken = [0] * len(self._shares)

    def take(self) -> int | None:
        """Take a place; returns the number of its card."""
        if not self._taken:
            return None
        number = self._taken.index(min(self._taken))
        self._taken[number] += 1
        return number

    def leave(self, number: int | None) -> None:
        """Give a place back."""
        if number is not None:
            self._taken[number] -= 1

    def variables(self, number: int | None) -> dict[str, str]:
        """What a process that has a place is started with: it sees its own card and no other."""
        if number is None:
            return {}
        share = self._shares[number]
        return {VISIBLE: share.card.key, processes.BUDGET: str(share.budget)}
