"""Predict an image with an exported network: python predict_onnx.py FILE.onnx IMAGE."""

import json
import math
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
facts = {
    k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items() if v[:1] == "{"
}
given = facts["input"]
image = ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB")
# In its own shape, with as many pixels as the images of the training had.
scale = math.sqrt(math.prod(given["trained_size"]) / (image.height * image.width))
height, width = (max(1, round(side * scale)) for side in (image.height, image.width))
rule = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
resized = np.asarray(image.resize((width, height), rule), np.float32)
# To a size that the network takes, its edges go on to the right and below.
step, least = given["multiple"], given["smallest"]
more = [(0, max(least, -(-side // step) * step) - side) for side in (height, width)]
pixels = np.pad(resized, (*more, (0, 0)), mode="edge").transpose(2, 0, 1)[None] / 255
names = list(facts["outputs"])
for name, found in zip(names, session.run(names, {"image": pixels}), strict=True):
    scores = found[0, :, :height, :width]
    classes = facts["outputs"][name]["kind"] == "classes"
    np.save(f"{name}.npy", scores.argmax(0) if classes else scores)
