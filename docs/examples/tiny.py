"""A network in 25 lines: `mttrain --plugin tiny.py --network tiny`."""

import torch.nn.functional as F
from torch import nn

from mtmodels import Network, Output, kind_model


class Tiny(Network):
    """Three convolutions that all tasks share, at a quarter of the size, and one of each task."""

    summary = "three shared convolutions, at a quarter of the size"
    reference = "none"
    stride = feature_stride = 4

    def __init__(self, tasks, **options):
        super().__init__(tasks, **options)
        self.feature_channels = wide = max(1, round(64 * self.options.width))
        layers = [nn.Conv2d(i, wide, 3, s, 1) for i, s in ((3, 2), (wide, 2), (wide, 1))]
        self.shared = nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())])
        self.heads = nn.ModuleDict({t.name: nn.Conv2d(wide, t.channels, 1) for t in tasks})

    def forward(self, image):
        features = self.shared(self.normalised(image))
        size = image.shape[-2:]
        raw = {t.name: F.interpolate(self.heads[t.name](features), size) for t in self.tasks}
        return Output({t.name: kind_model(t).activation(raw[t.name]) for t in self.tasks}, features)

    def shared_parameters(self):
        return list(self.shared[-2].parameters())


NETWORKS = {"tiny": Tiny}
