"""What `mirkeras export` does: write a network, load it by its own runtime, compare, then keep."""

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras import __version__
from mirkeras.export.frontend import lead_of, on_samples, samples_of
from mirkeras.storage.files import require_writable, sha256, write_bytes, write_text
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import device
from mirkeras.tagging.models import Model, find_model

#: What the runtime's scores may differ by from those of Keras.
MOST = 1e-4
TRIED = 3  # segments that are compared
_MOST_WORDS = 300  # characters of what a converter says
ADVICE = "pip install 'mirkeras[export]'"


def export(
    name: str,
    out: Path,
    form: str,
    *,
    samples: bool = False,
    weights: Path | None = None,
    mirror: str | None = None,
    offline: bool = False,
) -> dict:
    """Write a network and what must be known of it, which is also ``<out>.json``.

    Parameters
    ----------
    name
        A card, or a run or the runs of a row (averaged), see `mirkeras.tagging.models`.
    form : "onnx", "litert" or "keras"
    samples
        Whether it takes samples: its front-end goes into the graph.

    Returns
    -------
    dict
        What the JSON file holds; ``difference`` is the largest one from Keras, of `TRIED` segments
        of noise.

    Raises
    ------
    UsageError
        The model is no network, or its front-end cannot be put into a graph; the extra `export` is
        not installed; the runtime's scores are not those of Keras: nothing is written.
    """
    device.configure()
    model = find_model(name, weights, mirror=mirror, offline=offline)
    if model.network is None:
        raise UsageError(f"{model.name} is no network on segments: there is nothing to export")
    require_writable(out)
    network = model.network()
    shape = (model.frames, model.recipe.bands)
    if samples:
        network = on_samples(network, model.recipe, model.frames)
        shape = (samples_of(model.recipe, model.frames),)
    random = np.random.default_rng(0)
    tried = (0.1 * random.standard_normal((TRIED, *shape))).astype(np.float32)
    expected = network.predict(tried, verbose=0)
    with tempfile.TemporaryDirectory(prefix="mirkeras-") as folder:
        path = Path(folder) / f"network.{form}"
        try:
            found = FORMS[form](network, path, tried)
        except UsageError:
            raise
        except Exception as error:  # converters and runtimes raise many kinds
            words = " ".join(str(error).split())[:_MOST_WORDS]
            raise UsageError(f"{name} cannot be exported as {form} ({words})") from error
        difference = float(np.abs(found - expected).max())
        if not difference <= MOST:
            raise UsageError(
                f"{name} as {form}: its runtime's scores differ from Keras' by {difference:.1e}, "
                f"more than {MOST:.0e}; nothing is written"
            )
        about = _about(model, form, samples, shape) | {"difference": difference}
        if form in TOLD:
            TOLD[form](path, about)
        write_bytes(out, path.read_bytes())
    about |= {"sha256": sha256(out), "bytes": os.path.getsize(out)}
    write_text(out.with_name(f"{out.name}.json"), json.dumps(about, indent=1) + "\n")
    return about


def _about(model: Model, form: str, samples: bool, shape: tuple[int, ...]) -> dict:
    """What a program must know that runs the network."""
    recipe = model.recipe
    step = recipe.hop / recipe.sample_rate
    heard = {}
    if samples:
        edges = "reflect" if getattr(recipe, "edges", None) else "zeros"
        heard = {"samples_before": lead_of(recipe), "samples_beyond_edges": edges}
        heard["samples_hop"] = model.hop * recipe.hop
    return {
        "model": model.name,
        "weights": model.weights,
        "trained_on": model.data,
        "licence": model.licence,
        "format": form,
        "input": "samples" if samples else "frames",
        "shape": ["batch", *shape],
        "sample_rate": recipe.sample_rate,
        "recipe": recipe.identity(),
        **heard,
        "segment_seconds": model.frames * step,
        "hop_seconds": model.hop * step,
        "outputs": list(model.tags),
        "decides": model.aggregate or None,
        "runs": list(model.runs),
        "mirkeras": __version__,
    }


def _onnx(network: keras.Model, path: Path, tried: np.ndarray) -> np.ndarray:
    with _extra():
        import onnxruntime
        import tf2onnx  # noqa: F401 - what Keras exports by

    network.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: tried})[0]


def _tell_onnx(path: Path, about: dict) -> None:
    """Put what must be known into the file itself."""
    import onnx

    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {"mirkeras": json.dumps(about)})
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _litert(network: keras.Model, path: Path, tried: np.ndarray) -> np.ndarray:
    with _extra():
        from ai_edge_litert.interpreter import Interpreter

    network.export(path.with_suffix(".tflite"), format="litert", verbose=False)
    path.with_suffix(".tflite").rename(path)
    interpreter = Interpreter(model_path=str(path))
    number = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(number, tried.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(number, tried)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _tell_litert(path: Path, about: dict) -> None:
    """Do the same as LiteRT's own tools do: behind the graph lies a zip archive (``unzip -p``)."""
    from ai_edge_litert.interpreter import Interpreter

    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("mirkeras.json", json.dumps(about))
    Interpreter(model_path=str(path)).allocate_tensors()


def _keras(network: keras.Model, path: Path, tried: np.ndarray) -> np.ndarray:
    network.save(path)
    return keras.saving.load_model(path, compile=False, safe_mode=True).predict(tried, verbose=0)


@contextmanager
def _extra() -> Iterator[None]:
    """Say in a line that the extra is missing."""
    try:
        yield
    except ImportError as error:
        what = f"{error.name} is not installed, and writes or reads this format"
        raise UsageError(f"{what}: {ADVICE}") from error


#: Format → (network, path, segments) → what its own runtime makes of the segments.
FORMS: dict[str, Callable[[keras.Model, Path, np.ndarray], np.ndarray]] = {
    "onnx": _onnx,
    "litert": _litert,
    "keras": _keras,
}

#: Format → what writes a model's facts into its file.
TOLD: dict[str, Callable[[Path, dict], None]] = {"onnx": _tell_onnx, "litert": _tell_litert}
