"""Tag a file by ONNX Runtime, without mirkeras:

mirkeras export MTT_musicnn --format onnx --samples --out model.onnx
python examples/onnx_tag.py model.onnx song.mp3
"""

import json
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr
from onnxruntime import InferenceSession

model, song = map(Path, sys.argv[1:])
session = InferenceSession(model, providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["mirkeras"])
samples, rate = soundfile.read(song, dtype="float32", always_2d=True)
samples = soxr.resample(samples.mean(axis=1), rate, about["sample_rate"])
beyond = "reflect" if about["samples_beyond_edges"] == "reflect" else "constant"
samples = np.pad(samples, about["samples_before"], mode=beyond)
length, hop = about["shape"][1], about["samples_hop"]
starts = range(0, len(samples) - length + 1, hop)
segments = np.stack([samples[start : start + length] for start in starts])
scores = session.run(None, {session.get_inputs()[0].name: segments})[0].mean(axis=0)
for number in np.argsort(-scores)[:10]:
    print(f"{scores[number]:.6f}  {about['outputs'][number]}")
