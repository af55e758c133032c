"""Packaging: ``pip install -e .`` for work on the suite, ``pip install .`` to use it."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Beside `mirkeras` lie three folders with general names. They are installed inside it, where
# `mirkeras/__init__.py` finds them, so that no `results` stands among everybody's packages.
BESIDE = find_packages(include=["data_prep*", "reproductions*", "results*"])
INSIDE = {f"mirkeras._suite.{name}": name.replace(".", "/") for name in BESIDE}

setup(
    name="mirkeras",
    version="0.1.0",
    description="The classic music-CNN papers, re-run in Keras and compared row by row",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    author="mirkeras developers",
    license="MIT",
    license_files=["LICENSE"],
    classifiers=[
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Sound/Audio :: Analysis",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    packages=[*find_packages(include=["mirkeras*"]), *INSIDE],
    package_dir=INSIDE,
    package_data={
        "mirkeras": ["py.typed", "site/templates/*.html", "site/static/*"],
        "mirkeras._suite.results": ["*/*", "*/*/*"],
        "mirkeras._suite.data_prep": ["*.json"],
        "mirkeras._suite.reproductions": ["ERRATA.md"],
        "mirkeras._suite.reproductions.lidy_mirex2016": ["bin/*"],
        "mirkeras._suite.reproductions.audioset": ["classes.txt"],
        "": ["*.md"],
    },
    install_requires=[
        "tensorflow>=2.20",
        "keras>=3.13",
        "numpy>=1.26",
        "scipy>=1.13",
        "pandas>=2.2",
        "h5py>=3.11",
        "matplotlib>=3.9",
        "scikit-learn>=1.6",  # GroupKFold(shuffle=True)
        "threadpoolctl>=3",
        "librosa>=0.11",
        "soundfile>=0.12",
        "soxr>=0.4",
        "filelock>=3.12",
        "platformdirs>=4",
        "requests>=2.31",
        "tqdm>=4.66",
        "jinja2>=3.1",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.20"],
        "jax": ["jax>=0.5"],
        "formats": ["av>=14"],  # m4a, aac, wma, webm … by FFmpeg
        "export": ["tf2onnx>=1.16", "onnx>=1.17", "onnxruntime>=1.20", "ai-edge-litert>=1.2"],
        "parquet": ["pyarrow>=17"],
        "mirdata": ["mirdata>=1.0"],  # its loaders as data sets
        "tensorboard": ["tensorboard>=2.18"],
        "bench": ["torch>=2.4"],  # the network of SampleCNN once more, to compare speeds
        "cluster": ["distributed>=2025.1", "dask-jobqueue>=0.9"],
        "dev": [
            *("distributed>=2025.1", "dask-jobqueue>=0.9"),  # the tests of cluster
            "hypothesis>=6",
            "jams>=0.3.4",
            "nbclient>=0.10",
            "ipykernel>=6",
            "pyarrow>=17",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.12",
            "setuptools>=68",  # newer Pythons make environments without
        ],
    },
    entry_points={
        "console_scripts": ["mirkeras = mirkeras.cli.app:main"],
        "mirkeras.papers": ["finetune = reproductions.finetune.experiments"],
    },
)
