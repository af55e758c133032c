"""Event files for TensorBoard, by its own writer: whatever backend trains."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from mirkeras.system.errors import UsageError

#: The folder of event files in a run's directory.
FOLDER = "events"


def require_writer() -> None:
    """Refuse to write events where TensorBoard is not installed.

    Raises
    ------
    UsageError
        It is not.
    """
    if find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs the extra of that name: pip install tensorboard")


@contextmanager
def written(directory: Path, on_epoch: Callable[[dict], None]) -> Iterator[Callable[[dict], None]]:
    """Give a function that writes each line of a run's log as events, and hands it on.

    Epochs that an interrupted run repeats are written again, with the same values.

    Parameters
    ----------
    directory : Path
        The run's; the events go to `FOLDER` in it.
    on_epoch : callable
        As of `mirkeras.training.fit.train`.
    """
    from tensorboard.summary import Writer  # costs seconds

    writer = Writer(str(directory / FOLDER))

    def write(progress: dict) -> None:
        if "epoch" in progress:
            values = {name: value for name, value in progress.items() if name != "epoch"}
            for name, value in values.items():
                writer.add_scalar(name, value, step=int(progress["epoch"]))
            writer.flush()
        on_epoch(progress)

    try:
        yield write
    finally:
        writer.close()
