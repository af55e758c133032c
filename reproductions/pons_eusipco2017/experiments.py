"""The rows of the paper's three tasks, and the protocols under which they can be run.

The protocols themselves are those of tagging; rows of another task are trained by the variant of
that name, see `mirkeras.experiment.Protocol.of`.
"""

from collections.abc import Mapping
from dataclasses import replace

from mirkeras.experiment import Experiment
from reproductions.pons_eusipco2017 import instruments, phonemes, tagging, thresholds

ROWS = {row.id: row for row in (*tagging.ROWS, *instruments.ROWS, *phonemes.ROWS)}
PROTOCOLS = {
    base.name: replace(
        base,
        variants={
            instruments.TASK: instruments.VARIANTS[base.name],
            phonemes.VARIANT: phonemes.VARIANTS[base.name],
            phonemes.MAAS: phonemes.MAAS_VARIANTS[base.name],
        },
    )
    for base in (tagging.PAPER, tagging.CODE, tagging.CLEAN)
} | {tagging.CLASSES.name: tagging.CLASSES}
#: Measures of a task's own, by the first word of its rows.
MEASURES = {"tagging": tagging.score, instruments.TASK: thresholds.score}


def score(predictions: Mapping, record: Mapping) -> dict | None:
    """Measure a run as its task has it, see `mirkeras.experiment.Experiment`."""
    own = MEASURES.get(record["row"].partition("/")[0])
    return own and own(predictions, record)


EXPERIMENT = Experiment(
    paper="pons_eusipco2017",
    rows=ROWS,
    headline=("tagging/proposed-1", "tagging/proposed-2"),
    protocols=PROTOCOLS,
    batch=10,
    score=score,
)
