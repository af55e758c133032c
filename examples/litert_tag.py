"""Tag a file by LiteRT, without mirkeras:

mirkeras export MTT_musicnn --format litert --samples --out model.litert
python examples/litert_tag.py model.litert song.mp3
"""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from ai_edge_litert.interpreter import Interpreter

model, song = map(Path, sys.argv[1:])
about = json.loads(zipfile.ZipFile(model).read("mirkeras.json"))  # also beside it: FILE.json
samples, rate = soundfile.read(song, dtype="float32", always_2d=True)
samples = soxr.resample(samples.mean(axis=1), rate, about["sample_rate"])
beyond = "reflect" if about["samples_beyond_edges"] == "reflect" else "constant"
samples = np.pad(samples, about["samples_before"], mode=beyond)
length, hop = about["shape"][1], about["samples_hop"]
starts = range(0, len(samples) - length + 1, hop)
segments = np.stack([samples[start : start + length] for start in starts])
interpreter = Interpreter(model_path=str(model))
number = interpreter.get_input_details()[0]["index"]
interpreter.resize_tensor_input(number, segments.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(number, segments)
interpreter.invoke()
scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).mean(axis=0)
for number in np.argsort(-scores)[:10]:
    print(f"{scores[number]:.6f}  {about['outputs'][number]}")
