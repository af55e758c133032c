"""Parameter counts of a paper's networks, for the number of outputs of a data set."""

from functools import lru_cache

from mirkeras.experiment import Experiment, find_experiment
from mirkeras.layers import count_trainable, hidden_stages


def count_parameters(
    experiment: Experiment, row: str, outputs: int, protocol: str = ""
) -> int | None:
    """Count the trained parameters of a row's network, by default under the first protocol.

    None for rows that train no network.
    """
    if experiment.rows[row].build is None:
        return None
    return _count(experiment.paper, row, outputs, protocol or next(iter(experiment.protocols)))


@lru_cache
def _count(paper: str, name: str, outputs: int, protocol: str) -> int:
    experiment = find_experiment(paper)
    row = experiment.rows[name]
    # what the hidden layers of the networks give that it reads features of
    widths = [_widths(paper, source)[layer] for source in row.features_from for layer in row.layers]
    options = row.options(experiment.protocol_of(protocol, name), sum(widths))
    return count_trainable(row.build(outputs, "softmax", **options))


@lru_cache
def _widths(paper: str, name: str) -> tuple[int, ...]:
    experiment = find_experiment(paper)
    options = experiment.protocol_of(next(iter(experiment.protocols)), name).network
    network = experiment.rows[name].build(2, "softmax", **options)
    return tuple(stage.output.shape[-1] for stage in hidden_stages(network))
