"""Predict with an exported program of torch: python predict_torch.py FILE.pt2."""

import json
import sys

import torch

extra = {"mtpartial.json": ""}
network = torch.export.load(sys.argv[1], extra_files=extra).module()
outputs = json.loads(extra["mtpartial.json"])["outputs"]
with torch.no_grad():
    for name, found in network(torch.rand(1, 3, 64, 96)).items():
        print(name, outputs[name]["kind"], list(found.shape))
