"""Parameter counts of a paper's networks, for the number of outputs of a data set."""

from functools import lru_cache

from mirkeras.experiment import Experiment, Row, find_experiment
from mirkeras.layers import count_trainable, hidden_stages


def count_parameters(
    experiment: Experiment, row: str, outputs: int, protocol: str = ""
) -> int | None:
    """Count the trained parameters of a row's network, by default under the first protocol.

    None of a row on features of a trained tagger: it has no network of its own.
    """
    if experiment.rows[row].pretrained:
        return None
    return _count(experiment.paper, row, outputs, protocol or next(iter(experiment.protocols)))


@lru_cache
def _count(paper: str, name: str, outputs: int, protocol: str) -> int:
    experiment = find_experiment(paper)
    row = experiment.rows[name]
    options = experiment.protocols[protocol].network
    if row.features_from:
        options = {"features": sum(_channels(paper, source, row) for source in row.features_from)}
    return count_trainable(row.build(outputs, "softmax", **options))


def _channels(paper: str, source: str, row: Row) -> int:
    """Count the values that the hidden layers of one network give a row that builds on it."""
    return sum(_widths(paper, source)[layer] for layer in row.layers)


@lru_cache
def _widths(paper: str, name: str) -> tuple[int, ...]:
    experiment = find_experiment(paper)
    options = next(iter(experiment.protocols.values())).network
    network = experiment.rows[name].build(2, "softmax", **options)
    return tuple(stage.output.shape[-1] for stage in hidden_stages(network))
