"""The learning rates that the authors logged, once more by our rule, for `parity`.

The wheel holds the log of each training (`train_log.tsv`): validation loss and learning rate of
every epoch. From the losses `HalveOnCount` must give the rates. Losses are printed with six digits:
where one equals the best so far, the log does not tell whether it was better.
"""

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain, combinations

from mirkeras.experiment import HalveOnCount

PATIENCE = 75  # config.json
#: A rate is the logged one if it agrees in the digits that are printed.
PRINTED = 1e-4

#: So many ties are tried in all combinations; 2 to this power replays take seconds.
MOST_TIES = 12


@dataclass(frozen=True)
class Replay:
    """How far the rule gives the logged rates.

    Attributes
    ----------
    epochs, reproduced : int
        In the log, and those of them whose rate is the rule's.
    ties : int
        Epochs whose printed loss equals the best before.
    resolved : int
        Reproduced epochs if those of the ties had improved that explain the log best.
    """

    epochs: int
    reproduced: int
    ties: int
    resolved: int

    def __str__(self) -> str:
        text = f"rates reproduced: {self.reproduced} of {self.epochs} epochs"
        if self.reproduced == self.epochs:
            return text
        return (
            f"{text}; {self.resolved} if some of the {self.ties} whose printed loss equals the "
            "best before had improved"
        )


def replay(log: str) -> Replay:
    """Replay the text of a `train_log.tsv`."""
    rows = list(csv.DictReader(io.StringIO(log), delimiter="\t"))
    losses = [float(row["val_cost"]) for row in rows]
    rates = [float(row["learing_rate"]) for row in rows]  # so it is spelled there
    ties = [n for n, loss in enumerate(losses) if loss == min(losses[:n], default=None)]
    reproduced = _reproduced(losses, rates, ())
    resolved = reproduced
    if reproduced < len(rates) and len(ties) <= MOST_TIES:
        chosen = chain.from_iterable(combinations(ties, k) for k in range(len(ties) + 1))
        resolved = max(_reproduced(losses, rates, improved) for improved in chosen)
    return Replay(len(rates), reproduced, len(ties), resolved)


def _reproduced(losses: list[float], rates: list[float], improved: Collection[int]) -> int:
    """Count the epochs whose rate is the rule's, if these ties were improvements."""
    rule = HalveOnCount(patience=PATIENCE)
    memory, rate, count = rule.start(), rates[0], 0
    for epoch, (loss, logged) in enumerate(zip(losses, rates, strict=True)):
        count += abs(logged / rate - 1) < PRINTED
        below = loss * (1 - 1e-9) if epoch in improved else loss
        rate *= rule.step(memory, {"val_loss": below}).factor
    return count
