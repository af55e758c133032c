"""Cards of eight trained taggers of Won et al. (SMC 2020): FCN, CRNN, Musicnn on three data sets.

Their files are PyTorch's `best_model.pth` of minzwon/sota-music-tagging-models (`models/<data>/
<network>/`), state dictionaries in the layout of PyTorch 1.2; an npz of the same names will do as
well. No published score is verified, so the cards state none.
"""

import numpy as np

from data_prep.sets.magnatagatune import TAGS_OF_TAGGERS
from data_prep.sets.msd import TAGS as MSD_TAGS
from mirkeras.pretrained.cards import Card, Source, Taken, network

#: The 50 most frequent tags of MTG-Jamendo, in alphabetical order: `training/eval.py` lists them
#: in another, but scikit-learn's LabelBinarizer, which made the targets, sorts.
JAMENDO_TAGS = (
    "genre---alternative", "genre---ambient", "genre---atmospheric", "genre---chillout",
    "genre---classical", "genre---dance", "genre---downtempo", "genre---easylistening",
    "genre---electronic", "genre---experimental", "genre---folk", "genre---funk",
    "genre---hiphop", "genre---house", "genre---indie", "genre---instrumentalpop", "genre---jazz",
    "genre---lounge", "genre---metal", "genre---newage", "genre---orchestral", "genre---pop",
    "genre---popfolk", "genre---poprock", "genre---reggae", "genre---rock", "genre---soundtrack",
    "genre---techno", "genre---trance", "genre---triphop", "genre---world",
    "instrument---acousticguitar", "instrument---bass", "instrument---computer",
    "instrument---drummachine", "instrument---drums", "instrument---electricguitar",
    "instrument---electricpiano", "instrument---guitar", "instrument---keyboard",
    "instrument---piano", "instrument---strings", "instrument---synthesizer",
    "instrument---violin", "instrument---voice", "mood/theme---emotional",
    "mood/theme---energetic", "mood/theme---film", "mood/theme---happy", "mood/theme---relaxing",
)  # fmt: skip

#: What the tags of a data set speak of.
HEARS = {
    "mtat": "instruments, voices, genres and tempo, from classical to techno",
    "msd": "genres, decades and moods, as listeners of Last.fm call them",
    "jamendo": "genres, instruments, moods and themes of independent artists' music",
}

#: Data set: tags, name, split.
DATA = {
    "mtat": (TAGS_OF_TAGGERS, "MagnaTagATune", "mtat-won"),
    "msd": (MSD_TAGS, "Million Song Dataset, tags of Last.fm", "msd-lee"),
    "jamendo": (JAMENDO_TAGS, "MTG-Jamendo, 50 most frequent tags", "autotagging_top50tags"),
}

#: Data set and network → digest of the arrays that the network takes.
DIGESTS = {
    "mtat_fcn": "fa40debb25128c67f4efda11c7d1a73f47983d51d581b67dd85cd67a798aac90",
    "mtat_crnn": "1e76ae0f8a55661d70cd2c0528fdc06257256f4789d99db77e07a50ee7cd29ef",
    "mtat_musicnn": "ca4eb6ef4484c544810345f9a8494db6ae6b299fa86ac9ab7475f51b6e3964f3",
    "msd_fcn": "b4f296590cd734f08b079e164e0855787bbff5dc26f39e8dba9fd96a84045371",
    "msd_crnn": "9811934a90d7368b5a4c01cfa2655b139e456899247e1bf0b8d53f0a2e31965b",
    "jamendo_fcn": "b5fdf71c8c4b98b065b7679ebefbc98d5cf8611c1c107aa7e4affdf776f3433f",
    "jamendo_crnn": "317479ffa2a7f589e7292fe8dc3ee8aabbed3353964c51d6e3edb01be567d115",
    "jamendo_musicnn": "1dd0014becfa9bbf602002b8b4e8d0627fca4cd506e7d22938bedcbc25739109",
}

#: Counters, and the window and filterbank, which the recipe `won2020` computes by itself.
IGNORED = (r".*\.num_batches_tracked", r"spec\..*")

ADVICE = (
    "Take models/{path}/best_model.pth of the repository minzwon/sota-music-tagging-models (MIT), "
    "or an npz of its arrays."
)

_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _norm(ours: str, theirs: str) -> dict[str, Taken]:
    return {f"{ours}/{name}": Taken(f"{theirs}.{theirs_}") for name, theirs_ in _NORM.items()}


def _weighted(ours: str, theirs: str, dimensions: int) -> dict[str, Taken]:
    """Map a layer whose kernel has so many dimensions, PyTorch's order being the reverse."""
    axes = tuple(reversed(range(dimensions)))
    return {
        f"{ours}/kernel": Taken(f"{theirs}.weight", axes=axes),
        f"{ours}/bias": Taken(f"{theirs}.bias"),
    }


def _convolved(ours: str, bn: str, theirs: str, dimensions: int) -> dict[str, Taken]:
    return _weighted(ours, f"{theirs}.conv", dimensions) | _norm(bn, f"{theirs}.bn")


def _stages(count: int) -> dict[str, Taken]:
    names = _norm("input_bn", "spec_bn")
    for number in range(1, count + 1):
        names |= _convolved(f"conv{number}", f"bn{number}", f"layer{number}", 4)
    return names


def gates(kernel: np.ndarray) -> np.ndarray:
    """Put PyTorch's gates (reset, update, new) into the order of Keras (update, reset, new)."""
    reset, update, new = np.split(kernel, 3, axis=-1)
    return np.concatenate([update, reset, new], axis=-1)


def both_gates(of_input: np.ndarray, of_state: np.ndarray) -> np.ndarray:
    """Stack the biases of the input and of the state, as Keras keeps them: (2, 3 × units)."""
    return gates(np.stack([of_input, of_state]))


def _recurrent(ours: str, layer: int) -> dict[str, Taken]:
    ours, theirs = f"{ours}/gru_cell", "layer5.{}_l" + str(layer)
    bias = theirs.format("bias_ih")
    return {
        f"{ours}/kernel": Taken(theirs.format("weight_ih"), (1, 0), gates),
        f"{ours}/recurrent_kernel": Taken(theirs.format("weight_hh"), (1, 0), gates),
        f"{ours}/bias": Taken(bias, None, both_gates, (theirs.format("bias_hh"),)),
    }


def _fcn_names() -> dict[str, Taken]:
    return _stages(5) | _weighted("scores", "dense", 2)


def _crnn_names() -> dict[str, Taken]:
    recurrent = _recurrent("gru", 0) | _recurrent("penultimate", 1)
    return _stages(4) | recurrent | _weighted("scores", "dense", 2)


def _musicnn_names() -> dict[str, Taken]:
    names = _norm("input_bn", "spec_bn")
    for number, dimensions in enumerate((4, 4, 3, 3, 3)):  # the vertical ones come first
        ours = f"front{number}"
        names |= _convolved(ours, f"{ours}_bn", f"layers.{number}", dimensions)
    for number in (1, 2, 3):
        names |= _convolved(f"cnn{number}", f"cnn{number}_bn", f"layer{number}", 3)
    names |= _weighted("hidden", "dense1", 2) | _norm("hidden_bn", "bn")
    return names | _weighted("scores", "dense2", 2)


LONG, SHORT = 1813, 188  # frames: 29 s, 3 s
#: Network, by the name of its function: frames of a segment, names.
NETWORKS: dict[str, tuple[int, dict[str, Taken]]] = {
    "fcn": (LONG, _fcn_names()),
    "crnn": (LONG, _crnn_names()),
    "musicnn": (SHORT, _musicnn_names()),
}


def _card(name: str) -> Card:
    data, kind = name.split("_")
    tags, title, split = DATA[data]
    frames, names = NETWORKS[kind]
    path = f"{data}/{kind}"
    return Card(
        name=name,
        title=f"{kind} of Won et al. 2020, trained on {title}",
        build=network(f"reproductions.won_smc2020.models:{kind}", len(tags)),
        recipe="won2020",
        frames=frames,
        tags=tags,
        source=Source(
            filename=f"sota_music_tagging/{path}/best_model.pth",
            sha256=DIGESTS[name],
            by_arrays=True,
            advice=ADVICE.format(path=path),
            endings=(".npz",),
        ),
        names=names,
        ignored=IGNORED,
        embeddings=("penultimate",),
        hears=f"{HEARS[data]}; {'3' if frames == SHORT else '29'} s at a time",
        data=title,
        split=split,
        licence="MIT",
        origin="minzwon/sota-music-tagging-models",
    )


CARDS = tuple(_card(name) for name in DIGESTS)
