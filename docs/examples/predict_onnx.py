"""Predict an image with an exported network: python predict_onnx.py FILE.onnx IMAGE."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1])
facts = {
    k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items() if v[:1] == "{"
}
step, trained = facts["input"]["multiple"], facts["input"]["trained_size"]
height, width = (max(2, round(side / step)) * step for side in trained)
image = Image.open(sys.argv[2]).convert("RGB").resize((width, height))
pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255
names = list(facts["outputs"])
for name, found in zip(names, session.run(names, {"image": pixels}), strict=True):
    classes = facts["outputs"][name]["kind"] == "classes"
    np.save(f"{name}.npy", found[0].argmax(0) if classes else found[0])
