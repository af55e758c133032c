"""Building blocks of the papers' networks; `keras` only, so every Keras backend runs them.

Arrays are (batch, time, band, channel). Kernel and pool shapes are written as the papers write
them, frequency × time, and turned into the arrays' order here, once.

`blocks` are what this face exports. Front-ends stand in two modules of their own, `spectrogram` and
`waveform`. They fill the grid of Pons' thesis: what goes in, and how much is known about it when
the filters are shaped.

- minimal filters, nothing assumed: `spectrogram.vgg_stage` (Choi et al. 2016),
  `waveform.sample_level` (Lee et al. 2017);
- one shape: `spectrogram.one_shape`, vertical (Lee et al. 2009) or horizontal (Schlüter & Böck
  2014), `waveform.frame_level` (Dieleman & Schrauwen 2014);
- many shapes: `spectrogram.many_shapes` (Pons et al. 2016), `waveform.many_frame_levels` (Zhu et
  al. 2016).

Tensors go in and come out; a `style.Style` says what the layers of a network have in common.
"""

from mirkeras.layers.blocks import (
    conv,
    count_trainable,
    dense,
    hidden_stages,
    image,
    leaky,
    max_pool,
    scores,
    standardised,
)
