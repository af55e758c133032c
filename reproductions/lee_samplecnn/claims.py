"""What the paper claims, as data; answered by ``mirkeras claims lee_samplecnn``."""

from mirkeras.evaluation.claims import Claim

AREA = ("roc_auc",)
BOTH = ("roc_auc", "accuracy")
LEVEL = (
    "0.005, between the loss that the paper calls none (0.0024, at 8,000 Hz) and the one it calls "
    "one (0.0217, at 4,000 Hz)"
)
FULL, SAMPLES = "table5/22050", ("table5/22050", "table2/sample-9-9", "table2/sample-27-27")
RAW = tuple(f"table2/raw-{size}" for size in ("81-81", "243-81", "243-243", "729-243", "729-729"))
LAYERS = tuple(f"table6/layer-{number}" for number in (1, 2, 3))
CITED = tuple(
    f"table6/{name}-{data}"
    for data, names in {
        "gtzan": ("kereliuk-cnn", "temporal-features", "artist-labels", "multi-level-mel"),
        "magnatagatune": (
            *("dieleman-2013", "dieleman", "van-den-oord", "persistent-cnn", "time-frequency-cnn"),
            *("timbre-cnn", "choi-cnn", "artist-labels", "multi-level-mel"),
        ),
        "tagtraum": ("multi-level-mel",),
    }.items()
    for name in names
)

CLAIMS = (
    Claim(
        "comparable-to-mel",
        "The sample-level network is as good as the best on mel spectrograms",
        "section 6.1, Table 2",
        ((FULL,), ("table2/mel-243-81",)),
        kind="level",
        margin=0.005,
        why=LEVEL,
        metrics=AREA,
    ),
    Claim(
        "deeper-is-better",
        "On waveforms, the deeper (the shorter the first stride) the better",
        "section 3.3, Table 2",
        (
            (FULL,),
            *(
                (f"table2/{name}",)
                for name in (
                    "sample-9-9",
                    "sample-27-27",
                    "raw-81-81",
                    "raw-243-243",
                    "raw-729-729",
                )
            ),
        ),
        metrics=AREA,
    ),
    Claim(
        "sample-over-frame",
        "On waveforms, filters at the level of samples beat those at the level of frames",
        "sections 1 and 6.1, Table 2",
        (SAMPLES, RAW),
        metrics=AREA,
    ),
    Claim(
        "shorter-hop-on-mel",
        "On mel spectrograms, a hop of 81 samples (4 ms) beats those of 243 and 729",
        "section 6.1, Table 2",
        (
            ("table2/mel-243-81",),
            ("table2/mel-243-243", "table2/mel-729-243", "table2/mel-729-729"),
        ),
        metrics=AREA,
    ),
    Claim(
        "filter-as-long-as-stride",
        "On waveforms, first filters that are longer than their stride do slightly worse",
        "section 6.1, Table 2",
        (("table2/raw-{same}",), ("table2/raw-{longer}",)),
        metrics=AREA,
        forms=(
            {"same": "243-243", "longer": "729-243"},
            {"same": "81-81", "longer": "243-81"},
        ),
    ),
    Claim(
        "8000-costs-little",
        "Down-sampling to 8,000 Hz costs little",
        "section 6.2, Table 5",
        (("table5/8000",), (FULL,)),
        margin=-0.005,
        why=LEVEL,
        metrics=AREA,
    ),
    Claim(
        "4000-costs-more",
        "From 4,000 Hz on it costs more",
        "section 6.2, Table 5",
        (("table5/8000",), ("table5/4000", "table5/2000")),
        margin=0.005,
        why=LEVEL,
        metrics=AREA,
    ),
    Claim(
        "8000-saves-time",
        "Training at 8,000 Hz takes less time",
        "section 6.2, Table 5",
        ((FULL,), ("table5/8000",)),
        metrics=("time_ratio",),
    ),
    Claim(
        "more-features",
        "The more networks' features are joined, the better",
        "section 6.3, Table 4",
        (
            *(("table4/all-eight",), ("table4/2-13+2-14+3-8+3-9",)),
            *(("table4/3-8+3-9",), ("table4/3-9",)),
        ),
        metrics=AREA,
    ),
    Claim(
        "several-levels",
        "Features of several levels do better than the network they are of",
        "section 7.2; Tables 4 and 5",
        (("table4/3-9",), (FULL,)),
        metrics=AREA,
    ),
    Claim(
        "levels-joined",
        "Three levels together transfer better than any of them, on GTZAN above all",
        "section 6.4, Table 6",
        (("table6/last-3",), LAYERS),
        metrics=BOTH,
    ),
    Claim(
        "state-of-the-art",
        "Transferred features are the best known on GTZAN, MagnaTagATune and TAGTRAUM",
        "section 6.4, Table 6",
        (("table6/last-3", *LAYERS), CITED),
        metrics=BOTH,
        take="best",
    ),
)
