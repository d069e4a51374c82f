"""The layouts of the corpus, a line or a few each; see `Layout` for what they say."""

from unicodedata import normalize

import numpy as np

from tests.corpus.making import (
    Array,
    Layout,
    blob,
    blurred,
    coded,
    coloured,
    facing,
    grey,
    holed,
    nfd,
    photo,
    ranked,
    regions,
    slope,
    times,
    without,
)

RGB = {"rgb/{}.jpg": photo}
FOUR = regions(0, 1, 2, 3)
VOC = regions(0, 1, 2, 5, 255)
CITY = regions(7, 8, 11, 21, 23, 24, 26)
MM = slope(0.6, 6, "u2", scale=1000)
M = slope(0.6, 6, "f4")
MASK = blob
COLOURS = {0: (140, 70, 20), 1: (250, 50, 83), 2: (50, 183, 250), 3: (255, 204, 51)}
NAMES = ["background", "car", "tree", "sign"]
CVAT = "# label:color_rgb:parts:actions\n" + "".join(
    f"{name}:{','.join(map(str, COLOURS[place]))}::\n" for place, name in enumerate(NAMES)
)
WORDS = ("img_apple", "img_pear", "img_plum", "img_cherry", "img_fig", "img_kiwi")
VIEWS = tuple(f"{number:03d}_{view}" for number in range(3) for view in ("left", "right"))
ACCENTS = ("café", "naïve", "über", "año", "façade", "señor")
CITIES = tuple(f"{c}_{n:06d}_000019" for c in ("aachen", "bochum") for n in range(3))
K = tuple(f"{number:03d}" for number in range(6))
SEMANTIC, DEPTH, BINARY = {"semantic": "classes"}, {"depth": "depth"}, {"mask": "binary"}


def lists(*names: str, end: str = "\n", line: str = "{}") -> dict[str, str]:
    """Lists of four images to train and two to test on."""
    parts = (K[:4], K[4:])
    return {
        name: end.join(line.format(key) for key in part) + end
        for name, part in zip(names, parts, strict=True)
    }


def instances(number: int) -> Array:
    """Class x 1000 + number."""
    rng = np.random.default_rng(number)
    label = regions(7, 8, 24, 26)(number).astype(np.uint16)
    objects = np.kron(rng.integers(0, 60, (8, 12)), np.ones((4, 4), np.int64))
    return np.where(label > 20, label * 1000 + objects, label).astype(np.uint16)


def many_objects(number: int) -> Array:
    """Numbers of objects over the whole range, without order."""
    rng = np.random.default_rng(number)
    return np.kron(rng.integers(1, 40000, (8, 12)), np.ones((4, 4), np.int64)).astype(np.uint16)


def equal(number: int) -> Array:
    """Ids in three equal channels."""
    return np.repeat(FOUR(number)[..., None], 3, -1)


def standard(number: int) -> Array:
    """Standardised depth."""
    plane = M(number)
    return np.asarray((plane - plane.mean()) / plane.std(), np.float32)


LAYOUTS = (
    # names
    Layout("rgb and depth", {**RGB, "depth/{}.png": MM}, DEPTH, values={"depth": times(MM, 0.001)}),
    Layout("four tasks",
           {**RGB, "semantic/{}.png": VOC, "depth/{}.png": MM, "normals/{}.png": coded(facing()),
            "mask/{}.png": MASK},
           {"semantic": "classes", "depth": "depth", "normals": "normals", "mask": "binary"}),
    Layout("images and labels", {"images/{}.png": photo, "labels/{}.png": FOUR}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    Layout("img and masks", {"imgs/{}.jpg": photo, "masks/{}.png": MASK}, {"masks": "binary"},
           values={"masks": lambda n: MASK(n) // 255}),
    Layout("VOC", {"JPEGImages/{}.jpg": photo, "SegmentationClass/{}.png": VOC},
           {"segmentationclass": "classes"}, texts=lists(
               "ImageSets/Segmentation/train.txt", "ImageSets/Segmentation/val.txt"),
           splits={"train": 4, "val": 2}),
    Layout("own words", {"pictures/{}.jpg": photo, "annotation/{}.png": FOUR},
           {"annotation": "classes"}),
    Layout("beside each other", {"{}.jpg": photo, "{}.png": FOUR}, {"label": "classes"},
           values={"label": without(FOUR)}),
    Layout("_mask beside", {"{}.jpg": photo, "{}_mask.png": MASK}, BINARY),
    Layout("_rgb and _depth", {"{}_rgb.png": photo, "{}_depth.png": MM}, DEPTH,
           keys=tuple(f"room{n}" for n in range(6)), values={"depth": times(MM, 0.001)}),
    Layout("7-Scenes", {"{}.color.png": photo, "{}.depth.png": MM}, DEPTH,
           keys=tuple(f"frame-{n:06d}" for n in range(6))),
    Layout("CamVid", {"images/{}.png": photo, "labels/{}_L.png": coloured(FOUR, COLOURS)},
           SEMANTIC, texts={"label_colors.txt": "".join(
               f"{r} {g} {b}\t{NAMES[c]}\n" for c, (r, g, b) in COLOURS.items())},
           classes={"semantic": NAMES}, values={"semantic": without(FOUR)}),
    Layout("name in name", {"images/{}.jpg": photo, "masks/{}.jpg.png": MASK},
           {"masks": "binary"}),
    Layout("prefixes", {"images/rgb_{}.png": photo, "depth/depth_{}_mm.png": MM}, DEPTH),
    Layout("upper case", {"RGB/{}.JPG": photo, "Semantic/{}.PNG": FOUR}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    Layout("mixed case", {"Images/{}.jpg": photo, "Depth/{}.Png": MM}, DEPTH),
    Layout("words are keys", {"images/{}.jpg": photo, "masks/{}.png": FOUR},
           {"masks": "classes"}, keys=WORDS, values={"masks": without(FOUR)}),
    Layout("views are keys", {"images/{}.jpg": photo, "masks/{}.png": MASK},
           {"masks": "binary"}, keys=VIEWS),
    Layout("views beside", {"{}.jpg": photo, "{}.png": FOUR}, {"label": "classes"}, keys=VIEWS),
    Layout("letters are keys", {"images/{}.jpg": photo, "masks/{}.png": FOUR},
           {"masks": "classes"}, keys=tuple(f"plant_A{n}" for n in range(6))),
    Layout("words and suffix", {"{}.jpg": photo, "{}_mask.png": FOUR}, {"mask": "classes"},
           keys=WORDS, values={"mask": without(FOUR)}),
    Layout("Unicode", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC, keys=ACCENTS),
    Layout("dots and blanks", {"rgb/{}.jpg": photo, "semantic/{}.png": FOUR}, SEMANTIC,
           keys=tuple(f"IMG 20.1{n}" for n in range(6))),
    Layout("some labels only", {**RGB, "depth/{}.png": MM, "semantic/{}.png": FOUR},
           {"depth": "depth", "semantic": "classes"},
           only={"depth/{}.png": K[:3], "semantic/{}.png": K[2:]}),
    Layout("labels of others too", {"rgb/{}.jpg": photo, "depth/{}.png": MM}, DEPTH,
           only={"rgb/{}.jpg": K[:4]}, images=4),
    # splits
    Layout("train and val folders", {"train/images/{}.jpg": photo, "train/masks/{}.png": MASK,
                                     "val/images/{}.jpg": photo, "val/masks/{}.png": MASK},
           {"masks": "binary"}, splits={"train": 4, "val": 2}, images=6,
           only={"train/images/{}.jpg": K[:4], "train/masks/{}.png": K[:4],
                 "val/images/{}.jpg": K[4:], "val/masks/{}.png": K[4:]}),
    Layout("folders inside", {"images/training/{}.jpg": photo, "annotations/training/{}.png": FOUR,
                              "images/validation/{}.jpg": photo,
                              "annotations/validation/{}.png": FOUR},
           {"annotations": "classes"}, splits={"train": 4, "val": 2}, images=6,
           only={"images/training/{}.jpg": K[:4], "annotations/training/{}.png": K[:4],
                 "images/validation/{}.jpg": K[4:], "annotations/validation/{}.png": K[4:]}),
    Layout("Windows lists", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts=lists("train.txt", "val.txt", end="\r\n", line="rgb\\{}.jpg"),
           splits={"train": 4, "val": 2}),
    Layout("lists with BOM", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts={name: "\ufeff" + text for name, text in lists("train.txt", "test.txt").items()},
           splits={"train": 4, "test": 2}),
    Layout("two columns", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts=lists("list/train.txt", "list/val.txt", line="rgb/{0}.jpg semantic/{0}.png"),
           splits={"train": 4, "val": 2}),
    Layout("train_list", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts=lists("train_list.txt", "val_list.txt"), splits={"train": 4, "val": 2}),
    Layout("one unknown name", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts={**lists("train.txt", "val.txt"), "train.txt": "\n".join([*K[:4], "nobody"])},
           splits={"train": 4, "val": 2}),
    Layout("overlapping lists", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts={"train.txt": "\n".join(K[:5]), "val.txt": "\n".join(K[4:])}),
    Layout("trainval and test", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts=lists("trainval.txt", "test.txt"), splits={"train": 4, "test": 2}),
    # scenes
    Layout("scenes", {"rgb/{}.jpg": photo, "depth/{}.png": MM}, DEPTH,
           keys=tuple(f"{scene}/{n}" for scene in ("kitchen", "office") for n in range(3))),
    Layout("scenes outside", {"{}_rgb.jpg": photo, "{}_depth.png": MM}, DEPTH,
           keys=tuple(f"{scene}/{n:03d}" for scene in ("kitchen", "office") for n in range(3))),
    # Cityscapes
    Layout("Cityscapes in one folder",
           {"{}_leftImg8bit.png": photo, "{}_gtFine_labelIds.png": CITY,
            "{}_gtFine_color.png": coloured(CITY, {v: (v, 3 * v, 9) for v in (7, 8, 11, 21, 23)}),
            "{}_gtFine_instanceIds.png": instances},
           SEMANTIC, keys=CITIES, asked=("instanceIds", "color"),
           values={"semantic": ranked(CITY)}),
    Layout("instances of classes", {**RGB, "semantic/{}.png": CITY, "instances/{}.png": instances},
           SEMANTIC, asked=("instances",)),
    Layout("objects only", {**RGB, "objs/{}.png": many_objects}, {}, asked=("objs",)),
    # tools
    Layout("CVAT", {"JPEGImages/{}.jpg": photo,
                    "SegmentationClass/{}.png": coloured(FOUR, COLOURS),
                    "SegmentationObject/{}.png": coloured(FOUR, {1: (128, 0, 0), 2: (0, 128, 0)})},
           {"segmentationclass": "classes"}, texts={"labelmap.txt": CVAT},
           asked=("SegmentationObject",), classes={"segmentationclass": NAMES},
           values={"segmentationclass": without(FOUR)}),
    Layout("labelme", {"JPEGImages/{}.jpg": photo, "SegmentationClass/{}.npy": FOUR,
                       "SegmentationClassVisualization/{}.jpg": photo},
           {"segmentationclass": "classes"},
           texts={"labels.txt": "__ignore__\n_background_\ncar\ntree\nsign\n"},
           classes={"segmentationclass": ["_background_", "car", "tree", "sign"]}),
    Layout("PixelAnnotationTool", {"{}.jpg": photo, "{}_mask.png": equal,
                                   "{}_color_mask.png": coloured(FOUR, COLOURS),
                                   "{}_watershed_mask.png": equal},
           {"mask": "classes"}, asked=("_color_mask",), values={"mask": without(FOUR)}),
    Layout("classes with BOM", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts={"classes.txt": "\ufeffroad\nsky\ncar\ntree\n"},
           classes={"semantic": ["road", "sky", "car", "tree"]}),
    Layout("numbered label.txt", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts={"label.txt": "0: road\n1: sky\n2: car\n3: tree\n"},
           classes={"semantic": ["road", "sky", "car", "tree"]}),
    Layout("class_dict.csv", {**RGB, "labels/{}.png": coloured(FOUR, COLOURS)}, SEMANTIC,
           texts={"class_dict.csv": "name,r,g,b\n" + "".join(
               f"{NAMES[c]},{r},{g},{b}\n" for c, (r, g, b) in COLOURS.items())},
           classes={"semantic": NAMES}),
    # classes
    Layout("floats", {**RGB, "semantic/{}.npy": regions(0, 1, 2, 3, dtype="f4")}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    Layout("-1 is void", {**RGB, "semantic/{}.npy": regions(-1, 0, 1, 2, 3, dtype="i4")}, SEMANTIC,
           values={"semantic": without(regions(-1, 0, 1, 2, 3, dtype="i4"), -1)}),
    Layout("-100 is void", {**RGB, "labels/{}.npy": regions(-100, 0, 1, 2, dtype="i8")}, SEMANTIC,
           values={"semantic": without(regions(-100, 0, 1, 2, dtype="i8"), -100)}),
    Layout("-1 in floats", {**RGB, "semantic/{}.npy": regions(-1, 0, 1, 2, 3, dtype="f8")},
           SEMANTIC, values={"semantic": without(regions(-1, 0, 1, 2, 3, dtype="i8"), -1)}),
    Layout("from 1", {**RGB, "semantic/{}.png": regions(1, 2, 3, 4)}, SEMANTIC,
           values={"semantic": without(regions(1, 2, 3, 4), first=1)}),
    Layout("0 has no name", {**RGB, "semantic/{}.png": FOUR}, SEMANTIC,
           texts={"classes.txt": "car\ntree\nsign\n"}, classes={"semantic": NAMES[1:]},
           values={"semantic": without(FOUR, 0, first=1)}),
    Layout("far apart", {**RGB, "semantic/{}.png": regions(7, 26, 33, 200)}, SEMANTIC,
           values={"semantic": ranked(regions(7, 26, 33, 200))}),
    Layout("16-bit classes", {**RGB, "semantic/{}.png": regions(0, 1, 2, 3, dtype="u2")}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    Layout("colours", {**RGB, "masks/{}.png": coloured(FOUR, COLOURS)}, {"masks": "classes"}),
    Layout("greys to 255", {**RGB, "semantic/{}.png": regions(0, 85, 170, 255)}, {},
           asked=("semantic",)),
    Layout("100 classes", {**RGB, "semantic/{}.png": regions(*range(96))}, SEMANTIC),
    Layout("classes in .npz", {**RGB, "semantic/{}.npz": FOUR}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    Layout("classes in TIFF", {"images/{}.tif": photo, "labels/{}.tif": VOC}, SEMANTIC,
           values={"semantic": without(VOC, 255)}),
    Layout("floats in TIFF", {**RGB, "semantic/{}.tif": regions(-1, 0, 1, 2, 3, dtype="f4")},
           SEMANTIC, values={"semantic": without(regions(-1, 0, 1, 2, 3, dtype="i4"), -1)}),
    Layout("equal channels in TIFF", {**RGB, "semantic/{}.tif": equal}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    Layout("colours in BMP", {**RGB, "labels/{}.bmp": coloured(FOUR, COLOURS)}, SEMANTIC,
           texts={"labelmap.txt": CVAT}, classes={"semantic": NAMES},
           values={"semantic": without(FOUR)}),
    Layout("classes in BMP", {**RGB, "semantic/{}.bmp": FOUR}, SEMANTIC,
           values={"semantic": without(FOUR)}),
    # masks
    Layout("0 and 1", {**RGB, "mask/{}.png": lambda n: blob(n, 1)}, BINARY,
           values={"mask": lambda n: blob(n, 1)}),
    Layout("0.0 and 1.0", {**RGB, "mask/{}.npy": lambda n: blob(n, 1).astype("f4")}, BINARY,
           values={"mask": lambda n: blob(n, 1)}),
    Layout("mask with void", {**RGB, "mask/{}.png": regions(0, 1, 255)}, BINARY,
           values={"mask": without(regions(0, 1, 255), 255)}),
    Layout("mask in colour channels", {**RGB, "mask/{}.png": lambda n: np.repeat(
        blob(n)[..., None], 3, -1)}, BINARY, values={"mask": lambda n: blob(n, 1)}),
    Layout("classes of 0 and 255", {**RGB, "semantic/{}.png": blob}, {"semantic": "binary"},
           values={"semantic": lambda n: blob(n, 1)}),
    Layout("soft mask", {**RGB, "matte/{}.png": blurred(blob)}, {"matte": "binary"},
           values={"matte": lambda n: (blurred(blob)(n) >= 128).astype(int)}),
    Layout("soft saliency", {**RGB, "saliency/{}.png": grey}, {"saliency": "binary"}),
    Layout("soft floats", {**RGB, "saliency/{}.npy": lambda n: grey(n) / np.float32(255)},
           {"saliency": "binary"}),
    Layout("empty masks", {**RGB, "mask/{}.png": lambda n: blob(n, 0)}, {}, asked=("mask",)),
    # depth
    Layout("metres", {**RGB, "depth/{}.npy": M}, DEPTH, values={"depth": M}),
    Layout("metres with NaN", {**RGB, "depth/{}.npy": holed(M, np.nan)}, DEPTH,
           values={"depth": times(holed(M, np.nan), 1)}),
    Layout("far plane", {**RGB, "depth/{}.npy": holed(M, 1e10)}, DEPTH,
           values={"depth": times(holed(M, 1e10), 1, (0, 1e10))}),
    Layout("65535 is void", {**RGB, "depth/{}.png": holed(MM, 65535)}, DEPTH,
           values={"depth": times(holed(MM, 65535), 0.001, (65535,))}),
    Layout("float millimetres", {**RGB, "depth/{}.npy": slope(0.6, 6, "f4", scale=1000)}, DEPTH,
           values={"depth": times(slope(0.6, 6, "f4", scale=1000), 0.001)}),
    Layout("KITTI", {**RGB, "depth/{}.png": holed(slope(5, 75, "u2", scale=256), 0, 0.8)}, DEPTH,
           values={"depth": times(holed(slope(5, 75, "u2", scale=256), 0, 0.8), 1 / 256)}),
    Layout("TUM", {**RGB, "depth/{}.png": lambda n: MM(n) * 5}, {}, asked=("depth",)),
    Layout("outdoor centimetres", {**RGB, "depth/{}.png": slope(1, 400, "u2", scale=100)}, {},
           asked=("depth",)),
    Layout("indoor centimetres", {**RGB, "depth/{}.png": slope(0.6, 6, "u2", scale=100)}, {},
           asked=("depth",)),
    Layout("dense centimetres of 2 to 200 m",
           {**RGB, "depth/{}.png": slope(2, 200, "u2", scale=100)}, {}, asked=("depth",)),
    Layout("depth_cm", {**RGB, "depth_cm/{}.png": slope(0.6, 6, "u2", scale=100)},
           DEPTH, values={"depth": times(slope(0.6, 6, "u2", scale=100), 0.01)}),
    Layout("8-bit depth", {**RGB, "depth/{}.png": slope(10, 250, "u1")}, {}, asked=("depth",)),
    Layout("normalised depth", {**RGB, "depth/{}.npy": slope(0.01, 1, "f4")}, {},
           asked=("depth",)),
    Layout("standardised depth", {**RGB, "depth/{}.npy": standard}, {}, asked=("depth",)),
    Layout("logarithms", {**RGB, "depth/{}.npy": lambda n: np.log(M(n))}, {}, asked=("depth",)),
    Layout("disparity", {**RGB, "disparity/{}.png": slope(3, 120, "u2", scale=256)}, DEPTH,
           values={"depth": times(slope(3, 120, "u2", scale=256), 1 / 256)}),
    Layout("float disparity", {**RGB, "disparity/{}.npy": slope(3, 90, "f4")}, DEPTH,
           values={"depth": slope(3, 90, "f4")}),
    Layout("8-bit disparity", {**RGB, "disparity/{}.png": slope(10, 250, "u1")}, {},
           asked=("disparity",)),
    Layout("metres in .npz", {**RGB, "depth/{}.npz": M}, DEPTH, values={"depth": M}),
    Layout("metres in TIFF", {**RGB, "depth/{}.tif": holed(M, np.nan)}, DEPTH,
           values={"depth": times(holed(M, np.nan), 1)}),
    Layout("metres in TIFF of 64 bits", {**RGB, "depth/{}.tiff": slope(0.6, 6, "f8")}, DEPTH,
           values={"depth": slope(0.6, 6, "f8")}),
    Layout("millimetres in TIFF", {**RGB, "depth/{}.tif": holed(MM, 0)}, DEPTH,
           values={"depth": times(holed(MM, 0), 0.001)}),
    Layout("logarithms in TIFF", {**RGB, "depth/{}.tif": lambda n: np.log(M(n))}, {},
           asked=("depth",)),
    Layout("standardised depth in .npz", {**RGB, "depth/{}.npz": standard}, {}, asked=("depth",)),
    # normals
    Layout("normals in .npz", {**RGB, "normals/{}.npz": facing()}, {"normals": "normals"},
           values={"normals": facing()}),
    Layout("normals of floats in TIFF", {**RGB, "normals/{}.tif": facing((1, -1, -1))},
           {"normals": "normals"}, values={"normals": facing()}),
    Layout("normals of 16 bits in TIFF", {**RGB, "normals/{}.tif": coded(facing(), 65535)},
           {"normals": "normals"}),
    Layout("normals of floats", {**RGB, "normals/{}.npy": facing()}, {"normals": "normals"},
           values={"normals": facing()}),
    Layout("OpenCV normals", {**RGB, "normals/{}.npy": facing((1, -1, -1))},
           {"normals": "normals"}, values={"normals": facing()}),
    Layout("normals in 16 bits", {**RGB, "normals/{}.png": coded(facing(), 65535)},
           {"normals": "normals"}),
    # images
    Layout("grey images", {"images/{}.png": grey, "masks/{}.png": blob}, {"masks": "binary"}),
    Layout("colour pictures of labels", {**RGB, "semantic/{}.png": FOUR,
                                         "semantic_color/{}.png": coloured(FOUR, COLOURS)},
           SEMANTIC, asked=("semantic_color",)),
    Layout("two cameras", {"left/{}.jpg": photo, "right/{}.jpg": photo, "masks/{}.png": blob}, {},
           asked=("left", "right")),
)  # fmt: skip


def renamed() -> dict[str, str]:
    """Files of the layout Unicode as another system writes them: old name and new."""
    return {
        f"semantic/{normalize('NFC', key)}.png": f"semantic/{nfd(key)}.png" for key in ACCENTS[:3]
    }
