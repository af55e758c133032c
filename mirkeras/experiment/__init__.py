"""A paper as data (rows, protocols, schedules, published numbers), and a run of it on disk."""

from mirkeras.experiment.protocols import Protocol
from mirkeras.experiment.rows import Experiment, Row, find_experiment
from mirkeras.experiment.schedules import (
    Constant,
    HalveOnCount,
    HalveOnPlateau,
    HalveOnRecovery,
    Rule,
    Staged,
)
from mirkeras.pipeline.segments import Consecutive, Drawn, DrawnToTrain
