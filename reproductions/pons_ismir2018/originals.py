"""The authors' own TensorFlow 1 graphs of musicnn and vgg, out of the wheel, for `parity`.

They are the graphs that were trained, saved beside the weights (`.meta`), not our rebuild and not
the package's. TensorFlow 2.21 imports them once the attributes `_output_shapes` are dropped from
their nodes: some no longer agree with what it infers.
"""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import librosa
import numpy as np

from mirkeras.pretrained.cards import Source
from mirkeras.pretrained.weight_files import unpack_checkpoint
from mirkeras.system.quiet import silenced

#: Names in the graphs: segments, whether it is training, and what comes out.
SEGMENTS, TRAINING = "model/Placeholder:0", "model/Placeholder_2:0"
#: Dropout lets everything pass outside training, so that it gives what the last layer sees.
OUTPUTS = {
    "musicnn": {
        "taggram": "model/Sigmoid:0",
        "penultimate": "model/dropout_1/cond/Merge:0",
        "max_pool": "model/Max:0",
        "mean_pool": "model/moments/Squeeze:0",
    },
    "vgg": {"taggram": "model/Sigmoid:0", "pool5": "model/dropout_4/cond/Merge:0"},
}


class Original:
    """A graph with its weights; a context manager, `run` inside it."""

    def __init__(self, source: Source, wheel: Path) -> None:
        self.outputs = OUTPUTS[source.member.rpartition("_")[2]]
        self._source, self._wheel, self._open = source, wheel, ExitStack()

    def __enter__(self) -> "Original":
        with silenced():
            import tensorflow as tf
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        prefix = unpack_checkpoint(self._source, self._wheel, folder)
        graph = tf.compat.v1.MetaGraphDef.FromString(prefix.with_suffix(".meta").read_bytes())
        for node in graph.graph_def.node:
            node.attr.pop("_output_shapes", None)
        # as a context the session would make its graph everyone's
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        self._open.callback(self._session.close)
        with self._session.graph.as_default(), silenced():
            saver = tf.compat.v1.train.import_meta_graph(graph, clear_devices=True)
            saver.restore(self._session, str(prefix))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def run(self, segments: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph on (segments, 187, 96): what → (segments, values)."""
        fed = {SEGMENTS: segments, TRAINING: False}
        with silenced():
            found = self._session.run(self.outputs, fed)
        return {what: values.reshape(len(segments), -1) for what, values in found.items()}


def features(samples: np.ndarray, *, edges: str = "reflect", half: bool = False) -> np.ndarray:
    """Compute the features as `extractor.py` does: (frames, 96).

    Parameters
    ----------
    samples
        Mono at 16 kHz.
    edges
        What lies beyond both ends: "reflect" was librosa's default in 2019, "constant" is today's.
    half
        Whether mel energies are cast to float16 before the logarithm, as there: above 6.55 ten
        thousand times their value overflows to infinity.
    """
    energies = librosa.feature.melspectrogram(
        y=samples, sr=16000, hop_length=256, n_fft=512, n_mels=96, pad_mode=edges
    ).T
    if half:
        with np.errstate(over="ignore"):
            return np.log10(10000 * energies.astype(np.float16) + 1)
    return np.log10(10000 * energies + 1)
