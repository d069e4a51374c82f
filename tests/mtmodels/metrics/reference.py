"""Every metric a second time: loops over images and pixels, written from the formulas."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import thin

Array = NDArray[np.float64]
Values = dict[str, float | list[float]]


def mean(values: list[float]) -> float:
    kept = [v for v in values if not math.isnan(v)]
    return sum(kept) / len(kept) if kept else math.nan


def _ious(pairs: list[tuple[int, int]], classes: int) -> list[float]:
    """IoU of each class from (label, prediction) pairs."""
    ious = []
    for c in range(classes):
        union = sum(c in pair for pair in pairs)
        both = sum(pair == (c, c) for pair in pairs)
        ious.append(100 * both / union if union else math.nan)
    return ious


def _class_pairs(prediction: Array, label: Array, valid: Array) -> list[tuple[int, int]]:
    h, w = valid.shape
    return [
        (int(label[0, i, j]), max(range(len(prediction)), key=lambda c: prediction[c, i, j]))
        for i in range(h)
        for j in range(w)
        if valid[i, j]
    ]


def classes_mtpsl(prediction: Array, label: Array, valid: Array) -> Values:
    pairs = [
        p for image in zip(prediction, label, valid, strict=True) for p in _class_pairs(*image)
    ]
    iou = _ious(pairs, prediction.shape[1])
    accuracy = 100 * sum(a == b for a, b in pairs) / len(pairs) if pairs else math.nan
    return {"miou": mean(iou), "pixel_accuracy": accuracy, "iou": iou}


def classes_xtasc(prediction: Array, label: Array, valid: Array) -> Values:
    images = [
        classes_mtpsl(prediction[n : n + 1], label[n : n + 1], valid[n : n + 1])
        for n in range(len(prediction))
    ]
    ious = [image["iou"] for image in images]
    return {
        "miou": mean([float(image["miou"]) for image in images]),  # type: ignore[arg-type]
        "pixel_accuracy": mean([float(image["pixel_accuracy"]) for image in images]),  # type: ignore[arg-type]
        "iou": [mean([iou[c] for iou in ious]) for c in range(prediction.shape[1])],  # type: ignore[index]
    }


def _depth(prediction: Array, label: Array, valid: Array, lowest: float) -> Values:
    absolute, relative, square = [], [], []
    for n, i, j in np.ndindex(*valid.shape):
        truth = float(label[n, 0, i, j])
        if valid[n, i, j] and truth > 0:
            error = abs(max(float(prediction[n, 0, i, j]), lowest) - truth)
            absolute.append(error)
            relative.append(error / truth)
            square.append(error**2)
    return {"abs_err": mean(absolute), "rel_err": mean(relative), "rmse": math.sqrt(mean(square))}


def depth_mtpsl(prediction: Array, label: Array, valid: Array) -> Values:
    return _depth(prediction, label, valid, 1e-9)


def depth_xtasc(prediction: Array, label: Array, valid: Array) -> Values:
    return _depth(prediction, label, valid, -math.inf)


def depth_common(prediction: Array, label: Array, valid: Array) -> Values:
    squares, factors = [], []
    for n, i, j in np.ndindex(*valid.shape):
        truth = float(label[n, 0, i, j])
        if valid[n, i, j] and truth > 0:
            truth, predicted = max(truth, 0.001), max(float(prediction[n, 0, i, j]), 0.001)
            squares.append((math.log(predicted) - math.log(truth)) ** 2)
            factors.append(max(predicted / truth, truth / predicted))
    return {
        **_depth(prediction, label, valid, -math.inf),
        "rmse_log": math.sqrt(mean(squares)),
        "delta1": mean([100.0 * (factor < 1.25) for factor in factors]),
        "delta2": mean([100.0 * (factor < 1.25**2) for factor in factors]),
        "delta3": mean([100.0 * (factor < 1.25**3) for factor in factors]),
    }


def classes_common(prediction: Array, label: Array, valid: Array) -> Values:
    pairs = [
        p for image in zip(prediction, label, valid, strict=True) for p in _class_pairs(*image)
    ]
    found = []
    for c in range(prediction.shape[1]):
        of_class = [guess for true, guess in pairs if true == c]
        found.append(100 * of_class.count(c) / len(of_class) if of_class else math.nan)
    return {**classes_mtpsl(prediction, label, valid), "class_accuracy": mean(found)}


def normals(prediction: Array, label: Array, valid: Array) -> Values:
    found = []
    for n, i, j in np.ndindex(*valid.shape):
        if valid[n, i, j]:
            a, b = prediction[n, :, i, j], label[n, :, i, j]
            cosine = float(a @ b) / (float(np.sqrt(a @ a)) * float(np.sqrt(b @ b)))
            found.append(math.degrees(math.acos(min(1.0, max(-1.0, cosine)))))
    scores: Values = {
        "mean": mean(found),
        "median": float(np.median(found)) if found else math.nan,
        "rmse": math.sqrt(mean([a**2 for a in found])),
    }
    for limit in (11.25, 22.5, 30):
        scores[f"within_{limit:g}"] = mean([100.0 * (a < limit) for a in found])
    return scores


def binary_mtpsl(prediction: Array, label: Array, valid: Array) -> Values:
    hits = misses = false = 0
    for n, i, j in np.ndindex(*valid.shape):
        if valid[n, i, j]:
            probability = 1 / (1 + math.exp(-float(prediction[n, 0, i, j])))
            predicted, on = probability > 0.5, bool(label[n, 0, i, j])
            hits += predicted and on
            misses += on and not predicted
            false += predicted and not on
    if hits + misses + false == 0:
        return {"iou_at_0.5": math.nan, "f_at_0.5": math.nan}
    precision = hits / (hits + false) if hits + false else 0.0
    recall = hits / (hits + misses) if hits + misses else 0.0
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"iou_at_0.5": 100 * hits / (hits + misses + false), "f_at_0.5": 100 * f}


def binary_xtasc(prediction: Array, label: Array, valid: Array) -> Values:
    images = [
        binary_mtpsl(prediction[n : n + 1], label[n : n + 1], valid[n : n + 1])
        for n in range(len(prediction))
    ]
    return {
        name: mean([float(image[name]) for image in images])  # type: ignore[arg-type]
        for name in ("iou_at_0.5", "f_at_0.5")
    }


def _level(logit: float) -> int:
    return math.floor(255 / (1 + math.exp(-logit)))


def saliency_pascal(prediction: Array, label: Array, valid: Array) -> Values:
    ious: list[float] = []
    fs: list[float] = []
    for step in range(4, 19):
        images = []
        for image, truth, counted in zip(prediction[:, 0], label[:, 0] > 0, valid, strict=True):
            pairs = [
                (20 * _level(image[at]) > 255 * step, truth[at])
                for at in np.ndindex(*counted.shape)
                if counted[at]
            ]
            if pairs:
                both, one = sum(map(all, pairs)), sum(map(any, pairs))
                predicted, true = (sum(column) for column in zip(*pairs, strict=True))
                images.append(
                    (
                        both / one if one else 1.0,
                        both / predicted if predicted else 0.0,
                        both / true if true else 0.0,
                    )
                )
        iou, p, r = (mean([image[k] for image in images]) for k in range(3))
        ious.append(100 * iou)
        fs.append(100 * 2 * p * r / (p + r) if p + r else p + r)
    return {"miou": max(ious), "max_f": max(fs)}


def matching(edges: list[tuple[int, int]], boundary: list[tuple[int, int]], radius: float) -> int:
    """The size of a maximum matching, by one augmenting path after another."""
    near = [[g for g, b in enumerate(boundary) if math.dist(e, b) <= radius] for e in edges]
    owner: dict[int, int] = {}

    def place(edge: int, seen: set[int]) -> bool:
        for partner in near[edge]:
            if partner not in seen:
                seen.add(partner)
                if partner not in owner or place(owner[partner], seen):
                    owner[partner] = edge
                    return True
        return False

    return sum(place(edge, set()) for edge in range(len(edges)))


def edges_pascal(prediction: Array, label: Array, valid: Array, thresholds: int = 99) -> Values:
    found = []
    for k in range(1, thresholds + 1):
        matched = predicted = true = 0
        for image, truth, counted in zip(prediction[:, 0], label[:, 0] > 0, valid, strict=True):
            on = np.zeros(counted.shape, bool)
            for at in np.ndindex(*counted.shape):
                # What is not valid may hold anything, and is no edge.
                level = _level(image[at]) if counted[at] else 0
                on[at] = level * (thresholds + 1) >= 255 * k
            edges, boundary = (
                [(int(i), int(j)) for i, j in np.argwhere(thin(picture))]
                for picture in (on, truth & (counted > 0))
            )
            matched += matching(edges, boundary, 0.0075 * math.hypot(*counted.shape))
            predicted, true = predicted + len(edges), true + len(boundary)
        if predicted + true:
            p, r = matched / max(predicted, 1), matched / max(true, 1)
            found.append(100 * 2 * p * r / (p + r) if matched else 0.0)
    return {"ods_f": max(found, default=math.nan)}


def parts_pascal(prediction: Array, label: Array, valid: Array) -> Values:
    shown = [n for n in range(len(label)) if (label[n, 0][valid[n] > 0] > 0).any()]
    return classes_mtpsl(prediction[shown], label[shown], valid[shown])


CATEGORY = dict(enumerate((0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 6, 6, 6, 6, 6, 6)))


def streets_cityscapes(prediction: Array, label: Array, valid: Array) -> Values:
    pairs = [
        p for image in zip(prediction, label, valid, strict=True) for p in _class_pairs(*image)
    ]
    iou = _ious(pairs, 19)
    category = _ious([(CATEGORY[a], CATEGORY[b]) for a, b in pairs], 7)
    return {
        "miou": mean(iou), "iou": iou, "category_miou": mean(category), "category_iou": category
    }  # fmt: skip


REFERENCES: dict[tuple[str, str], Callable[[Array, Array, Array], Values]] = {
    ("mtpsl", "classes"): classes_mtpsl,
    ("mtpsl", "binary"): binary_mtpsl,
    ("mtpsl", "depth"): depth_mtpsl,
    ("mtpsl", "normals"): normals,
    ("xtasc", "classes"): classes_xtasc,
    ("xtasc", "binary"): binary_xtasc,
    ("xtasc", "depth"): depth_xtasc,
    ("xtasc", "normals"): normals,
    ("pascal", "classes"): classes_mtpsl,
    ("pascal", "parts"): parts_pascal,
    ("pascal", "binary"): saliency_pascal,
    ("pascal", "edges"): edges_pascal,
    ("pascal", "depth"): depth_xtasc,
    ("pascal", "normals"): normals,
    ("cityscapes", "streets"): streets_cityscapes,
    ("cityscapes", "depth"): depth_xtasc,
    ("common", "classes"): classes_common,
    ("common", "binary"): binary_mtpsl,
    ("common", "depth"): depth_common,
    ("common", "normals"): normals,
}
