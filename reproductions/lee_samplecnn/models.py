"""The networks of Lee, Park, Kim & Nam (SampleCNN, 2018): Tables 1 to 5, from one table of lines.

Kernels run over time alone; arrays are (batch, time, band). A network is

- a strided convolution over samples (a spectrogram goes without: its frames are that already),
- modules, each of convolution (stride 1, 'same'), batch norm, ReLU and max-pool; kernel and pool
  have the same length, so that the modules shrink the segment to a single step,
- a convolution of length 1, 50 % dropout, and the scores.

Every convolution has a bias and starts He-uniform; batch norm (ε 1e-5, momentum 0.99) comes before
the ReLU; the output layer starts Glorot-uniform (section 5.2 and the authors' code).

The paper's Table 1 and its parameter counts have two modules of 512 filters at the top (`widths`
"paper"); all published code has one ("code"). Counts are of trainable weights for 50 tags, batch
norm's scale and shift included, as the paper counts: 2,460,466 for 3^9.
"""

from dataclasses import dataclass
from math import prod

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import scores

WIDTHS = ("paper", "code")
STRIDED = 128  # filters of the strided convolution
MEL_BANDS = 128
DROPOUT = 0.5
HIDDEN = 4096  # units of each of the two layers that classify features (section 5.5)


@dataclass(frozen=True)
class Network:
    """One line of the table of networks.

    Attributes
    ----------
    id, title : str
        Row id without the paper's name; name for people.
    recipe : str
        Name of the feature recipe of its input.
    strided : (int, int) or None
        Kernel length and stride, in samples, of the strided convolution; None for a spectrogram.
    modules : tuple of int
        Kernel and pool length of each module, from input to output.
    cut_from : int
        The modules are the top ones of a network of this many (0: they are all of it).
    """

    id: str
    title: str
    recipe: str
    strided: tuple[int, int] | None
    modules: tuple[int, ...]
    cut_from: int = 0

    @property
    def length(self) -> int:
        """Cache frames per segment: samples of a waveform, frames of a spectrogram."""
        return prod(self.modules) * (self.strided[1] if self.strided else 1)

    @property
    def bands(self) -> int:
        """Values per cache frame: 1 of a waveform, 128 of a mel spectrogram."""
        return 1 if self.strided else MEL_BANDS

    @property
    def standardised(self) -> bool:
        """Whether its input is standardised (section 5.3: mel spectrograms are, waveforms not)."""
        return self.strided is None

    def filters(self, widths: str = "paper") -> tuple[int, ...]:
        """List the number of filters of each module, `widths` "paper" or "code"."""
        depth = len(self.modules)
        return module_filters(self.cut_from or depth, widths)[-depth:]

    def build(
        self, outputs: int, activation: str = "sigmoid", widths: str = "paper"
    ) -> keras.Model:
        """Build the network.

        Parameters
        ----------
        outputs : int
            Number of tags (50 in the paper) or classes.
        activation : str
            ``sigmoid`` for tags, ``softmax`` for classes.
        widths : str
            ``paper`` or ``code``, see the module's text.

        Returns
        -------
        keras.Model
            Takes (batch, `length`, `bands`), a waveform within [-1, 1]; gives (batch, outputs).
            Layers are conv0, bn0, relu0 (strided), conv1, bn1, relu1, pool1, … up to the
            convolution of length 1, which has the next number; then dropout, flatten, scores.
        """
        segment = x = keras.Input((self.length, self.bands), name="segment")
        if self.strided:
            x = convolution(x, 0, STRIDED, *self.strided)
        for number, (size, filters) in enumerate(
            zip(self.modules, self.filters(widths), strict=True), start=1
        ):
            x = convolution(x, number, filters, size)
            x = layers.MaxPooling1D(size, name=f"pool{number}")(x)
        x = convolution(x, len(self.modules) + 1, 512, 1)
        x = layers.Dropout(DROPOUT, name="dropout")(x)
        x = layers.Flatten(name="flatten")(x)
        return keras.Model(segment, scores(outputs, activation)(x), name=_safe(self.id))


def module_filters(depth: int, widths: str = "paper") -> tuple[int, ...]:
    """List the filters of `depth` modules: 128, 128, 256 …, 512, 512 (one 512 in the code)."""
    if widths not in WIDTHS:
        raise ValueError(f"unknown widths {widths!r}; known: {', '.join(WIDTHS)}")
    top = (512, 512) if widths == "paper" else (512,)
    return (128, 128, *(256,) * (depth - 2 - len(top)), *top)


def convolution(
    x: keras.KerasTensor, number: int, filters: int, kernel: int, stride: int = 1
) -> keras.KerasTensor:
    """Convolve over time, normalise, rectify: (batch, time, any) → (batch, time/stride, filters).

    A strided kernel as long as its stride needs no padding and gets none; a longer one (Table 2) is
    padded, because the paper's count of frames is the number of samples over the stride.
    """
    x = layers.Conv1D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        kernel_initializer="he_uniform",
        name=f"conv{number}",
    )(x)
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-5, name=f"bn{number}")(x)
    return layers.ReLU(name=f"relu{number}")(x)


def head(outputs: int, activation: str, features: int) -> keras.Model:
    """Build the classifier of feature vectors of section 5.5: two layers of 4096 units.

    The paper gives neither activation nor dropout of the two layers: ReLU and 50 % after each are
    ours. 23,281,714 parameters for 1,536 features (the last three layers of 3^9) and 50 tags.

    Parameters
    ----------
    outputs, activation
        As for `Network.build`.
    features : int
        Length of a feature vector.

    Returns
    -------
    keras.Model
        Takes (batch, 1, features): a vector is a segment of one frame; gives (batch, outputs).
    """
    vector = keras.Input((1, features), name="features")
    x = layers.Flatten(name="flatten")(vector)
    for number in (1, 2):
        x = layers.Dense(HIDDEN, activation="relu", name=f"dense{number}")(x)
        x = layers.Dropout(DROPOUT, name=f"dropout{number}")(x)
    return keras.Model(vector, scores(outputs, activation)(x), name=f"head_{features}")


def _safe(name: str) -> str:
    """Turn a row id into a name that TensorFlow accepts as a scope."""
    return name.replace("/", "_").replace("-", "_")


def _power(m: int, n: int) -> Network:
    """m^n-SampleCNN (section 3.3): stride and modules of length m, n modules."""
    return Network(f"mn/{m}-{n}", f"{m}^{n}-SampleCNN", "waveform-22050", (m, m), (m,) * n)


def _rate(hertz: int, digits: str) -> Network:
    """Network of Tables 3 and 5; the first digit is the strided convolution."""
    first, *modules = map(int, digits)
    title = f"SampleCNN {hertz:,} Hz, {'-'.join(digits)}"
    recipe = f"waveform-{hertz}"
    return Network(f"table5/{hertz}", title, recipe, (first, first), tuple(modules))


def _raw(n: int, window: int, hop: int, level: str = "raw") -> Network:
    """Network of Table 2 on samples: the top n modules of 3^9 behind a longer first convolution."""
    title = f"3^{n}, {'frame' if level == 'raw' else 'sample'}-level raw, {window}/{hop}"
    name = f"table2/{level}-{window}-{hop}"
    return Network(name, title, "waveform-22050", (window, hop), (3,) * n, cut_from=9)


def _mel(n: int, window: int, hop: int) -> Network:
    """Network of Table 2 on mel frames: the top n modules of 3^9."""
    title, recipe = f"3^{n}, frame-level mel, {window}/{hop}", f"lee2018-mel-{window}-{hop}"
    return Network(f"table2/mel-{window}-{hop}", title, recipe, None, (3,) * n, cut_from=9)


NETWORKS = {
    network.id: network
    for network in (
        # m, n                   samples     parameters ("code" widths)
        _power(2, 13),  #         16,384    2,266,802  (1,872,818)
        _power(2, 14),  #         32,768    2,398,642  (2,004,658)
        _power(3, 8),  #          19,683    2,263,090  (1,672,498)
        _power(4, 6),  #          16,384    2,392,754  (1,605,554)
        _power(4, 7),  #          65,536    2,655,666  (1,868,466)
        _power(5, 5),  #          15,625    2,588,722  (1,604,914)
        _power(5, 6),  #          78,125    2,917,170  (1,933,362)
        # n, window, hop         frames
        _mel(4, 729, 729),  #         81    1,768,498
        _mel(5, 729, 243),  #        243    1,965,874
        _mel(5, 243, 243),  #        243    1,965,874
        _mel(6, 243, 81),  #         729    2,163,250
        _mel(6, 81, 81),  #          729    2,163,250
        #                        samples
        _raw(4, 729, 729),  #     59,049    1,862,194
        _raw(5, 729, 243),  #     59,049    2,059,570
        _raw(5, 243, 243),  #     59,049    1,997,362
        _raw(6, 243, 81),  #      59,049    2,194,738
        _raw(6, 81, 81),  #       59,049    2,174,002
        _raw(7, 27, 27, "sample"),  #       2,364,466
        _raw(8, 9, 9, "sample"),  #         2,411,698
        # rate in Hz
        _rate(2_000, "3333222222"),  #   5,184    1,805,106  (1,411,122)
        _rate(4_000, "3333222422"),  #  10,368    1,936,178  (1,542,194)
        _rate(8_000, "3333224422"),  #  20,736    2,067,250  (1,673,266)
        _rate(12_000, "3333324422"),  # 31,104    2,132,786  (1,738,802)
        _rate(16_000, "3333333522"),  # 43,740    2,198,322  (1,804,338)
        _rate(20_000, "3333333342"),  # 52,488    2,329,394  (1,804,338)
        _rate(22_050, "3333333333"),  # 59,049    2,460,466  (1,869,874); it is 3^9 (Table 1)
    )
}
