"""Facts about published data sets that several sources share: class names and colours.

The colours are ours where a data set has none of its own: far apart in CIELAB, alike where the 13-
and the 40-class set of NYU Depth v2 mean the same.
"""

from mtdata.tasks.kinds import Classes

Colour = tuple[int, int, int]


def _classes(colours: dict[str, Colour]) -> Classes:
    return Classes(names=tuple(colours), palette=tuple(colours.values()))


SEMANTIC13 = _classes(
    {
        "bed": (64, 96, 200),
        "books": (250, 160, 50),
        "ceiling": (190, 225, 245),
        "chair": (215, 60, 60),
        "floor": (150, 110, 70),
        "furniture": (112, 64, 150),
        "objects": (240, 220, 80),
        "picture": (235, 120, 190),
        "sofa": (40, 150, 120),
        "table": (140, 195, 60),
        "tv": (40, 40, 90),
        "wall": (205, 198, 185),
        "window": (70, 205, 225),
    }
)
"""The 13 classes of NYU Depth v2, in their official (alphabetical) order."""

SEMANTIC40 = _classes(
    {
        "wall": (205, 198, 185),
        "floor": (150, 110, 70),
        "cabinet": (16, 16, 240),
        "bed": (64, 96, 200),
        "chair": (215, 60, 60),
        "sofa": (40, 150, 120),
        "table": (140, 195, 60),
        "door": (240, 32, 240),
        "window": (70, 205, 225),
        "bookshelf": (16, 240, 16),
        "picture": (235, 120, 190),
        "counter": (16, 240, 160),
        "blinds": (112, 16, 48),
        "desk": (64, 96, 16),
        "shelves": (32, 16, 160),
        "curtain": (80, 128, 176),
        "dresser": (224, 16, 112),
        "pillow": (240, 144, 144),
        "mirror": (192, 240, 176),
        "floor-mat": (176, 96, 240),
        "clothes": (144, 96, 128),
        "ceiling": (190, 225, 245),
        "books": (250, 160, 50),
        "refrigerator": (208, 176, 240),
        "television": (40, 40, 90),
        "paper": (192, 16, 160),
        "towel": (240, 192, 128),
        "shower-curtain": (16, 144, 48),
        "box": (240, 96, 16),
        "whiteboard": (160, 128, 16),
        "person": (208, 240, 16),
        "night-stand": (128, 48, 16),
        "toilet": (96, 240, 208),
        "sink": (144, 160, 96),
        "lamp": (112, 144, 144),
        "bathtub": (32, 208, 80),
        "bag": (160, 32, 240),
        "otherstructure": (208, 112, 64),
        "otherfurniture": (112, 64, 150),
        "otherprop": (240, 220, 80),
    }
)
"""The 40 classes of NYU Depth v2, in the order of `classMapping40.mat`."""

PARTS7 = _classes(
    {
        "background": (35, 35, 35),
        "head": (235, 90, 70),
        "torso": (65, 125, 205),
        "upper-arm": (90, 185, 100),
        "lower-arm": (195, 225, 110),
        "upper-leg": (150, 95, 190),
        "lower-leg": (245, 185, 75),
    }
)
"""Human parts of PASCAL-Context as the multi-task papers use them: background and six parts."""

PASCAL21 = _classes(
    {
        "background": (0, 0, 0),
        "aeroplane": (128, 0, 0),
        "bicycle": (0, 128, 0),
        "bird": (128, 128, 0),
        "boat": (0, 0, 128),
        "bottle": (128, 0, 128),
        "bus": (0, 128, 128),
        "car": (128, 128, 128),
        "cat": (64, 0, 0),
        "chair": (192, 0, 0),
        "cow": (64, 128, 0),
        "diningtable": (192, 128, 0),
        "dog": (64, 0, 128),
        "horse": (192, 0, 128),
        "motorbike": (64, 128, 128),
        "person": (192, 128, 128),
        "pottedplant": (0, 64, 0),
        "sheep": (128, 64, 0),
        "sofa": (0, 192, 0),
        "train": (128, 192, 0),
        "tvmonitor": (0, 64, 128),
    }
)
"""Background and the 20 classes of PASCAL VOC, in their official order and colours."""

CITYSCAPES19 = _classes(
    {
        "road": (128, 64, 128),
        "sidewalk": (244, 35, 232),
        "building": (70, 70, 70),
        "wall": (102, 102, 156),
        "fence": (190, 153, 153),
        "pole": (153, 153, 153),
        "traffic light": (250, 170, 30),
        "traffic sign": (220, 220, 0),
        "vegetation": (107, 142, 35),
        "terrain": (152, 251, 152),
        "sky": (70, 130, 180),
        "person": (220, 20, 60),
        "rider": (255, 0, 0),
        "car": (0, 0, 142),
        "truck": (0, 0, 70),
        "bus": (0, 60, 100),
        "train": (0, 80, 100),
        "motorcycle": (0, 0, 230),
        "bicycle": (119, 11, 32),
    }
)
"""The 19 classes that Cityscapes scores, in the order of their training ids."""

CITYSCAPES7 = _classes(
    {
        "flat": (128, 64, 128),
        "construction": (70, 70, 70),
        "object": (153, 153, 153),
        "nature": (107, 142, 35),
        "sky": (70, 130, 180),
        "human": (220, 20, 60),
        "vehicle": (0, 0, 142),
    }
)
"""The 7 categories of Cityscapes without void; each has the colour of its commonest class."""
