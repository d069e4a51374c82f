"""`mtmodels predict`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, put_json, say, warn_of_unfinished
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, STORE, checkpoint_option, device_option, size, tasks_option
from cli.shared.plugins import plugin_option, trust_option, use_copies
from mtdata.progress import Progress
from mtdata.urls import StorePath
from mtdata.wording import counted


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels predict runs/nyu-xtc-unet-resnet18-full-s0 photo.jpg -o predicted",
        "mtmodels predict runs/nyu-xtc-unet-resnet18-full-s0 photos/ -o predicted --tasks depth",
        "mtmodels predict runs/nyu-xtc-unet-resnet18-full-s0 photos/ -o predicted --size 288x384",
        "mtmodels predict runs/nyu-xtc-unet-resnet18-full-s0 walk.mp4 -o predicted --every 30",
        "mtmodels predict runs/nyu-mtpsl-segnet-one-s0 photo.jpg -o predicted --mapped",
        "mtmodels predict runs/nyu-sl-mt-unet-full-s0 photo.jpg -o predicted --attention",
    ),
)
@click.argument("run", type=FILE)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=FILE)
@click.option("-o", "--out", type=FILE, required=True, metavar="DIR", help="Folder to write.")
@tasks_option
@click.option(
    "--size",
    "how",
    type=size("native"),
    metavar="HxW|native",
    help="Size to predict at; native: that of the image.  [default: the shape of the image, with "
    "as many pixels as the images trained on]",
)
@checkpoint_option
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    help="Images at once.  [default: that of the run; 1 with --size native]",
)
@device_option
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of videos only every N-th frame.",
)
@click.option("--npy", is_flag=True, help="Write what the network gave, too, in DIR/raw.")
@click.option("--no-pictures", is_flag=True, help="Draw nothing in DIR/pictures: faster.")
@click.option(
    "--mapped",
    is_flag=True,
    help="Draw predictions beside their maps in the joint spaces of task pairs in DIR/mapped; of "
    "runs of mtpsl, contrastive and discriminator.",
)
@click.option(
    "--attention",
    is_flag=True,
    help="Draw the masks by which each task picks from the maps of the network in DIR/attention; "
    "of runs of networks with attention, segnet-mtan and mt-unet among them.",
)
@click.option(
    "--data",
    type=STORE,
    help="Store that knows the tasks; only runs of older versions need one.  [default: the one "
    "that the run was trained on]",
)
@click.option("--overwrite", is_flag=True, help="Replace files in a DIR that is not empty.")
@plugin_option
@trust_option
@json_option
def predict(
    run: Path,
    images: tuple[Path, ...],
    *,
    out: Path,
    tasks: tuple[str, ...] | None,
    how: Any,
    which: Any,
    batch: int | None,
    device: str | None,
    every: int,
    npy: bool,
    no_pictures: bool,
    mapped: bool,
    attention: bool,
    data: StorePath | None,
    overwrite: bool,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Predict all tasks of images, of folders that are searched for them, and of videos.

    Images end in .jpg, .jpeg, .png, .webp, .bmp, .tif or .tiff, or are named one by one.
    Predictions have the size of their image. DIR/predictions.json says what each file holds: class
    ids as PNG with a palette, metres as 16-bit PNG in millimetres, other depth and normals as
    float32 .npy, and in DIR/pictures image and predictions side by side. Files that cannot be read
    are named at the end, with code 3; all others are predicted. Videos need the extra `video`;
    frames are named by number, and a video that is cut is predicted as far as it goes.
    """
    from cli.shared.progress import progress_bar
    from mtmodels.errors import UnreadImagesError
    from mtmodels.predicting import predict as predict_images

    use_copies(run, trust=trust_plugins)
    rate = _Rate()
    try:
        with progress_bar("images") as report:
            index = predict_images(
                run,
                images,
                out,
                tasks=tasks,
                size=how or "trained",
                which=which,
                batch=batch,
                device=device or "auto",
                raw=npy,
                pictures=not no_pictures,
                mapped=mapped,
                attention=attention,
                data=data,
                every=every,
                overwrite=overwrite,
                progress=rate.over(report),
            )
    except UnreadImagesError as error:
        if error.index is not None:
            warn_of_unfinished(run, "these are predictions")
            _tell(error.index, out, rate, as_json=as_json)
        raise
    warn_of_unfinished(run, "these are predictions")
    _tell(index, out, rate, as_json=as_json)


class _Rate:
    """How many images a second, from the first to the last: without what loading takes."""

    def __init__(self) -> None:
        self.times: list[tuple[int, float]] = []

    def over(self, report: Progress | None) -> Progress:
        """The same report, whose times are taken."""

        def timed(done: int, total: int, what: str) -> None:
            self.times[1:] = [(done, time.perf_counter())]
            if report is not None:
                report(done, total, what)

        return timed

    def __str__(self) -> str:
        if len(self.times) < 2:
            return ""
        (first, begin), (last, end) = self.times
        return f", {(last - first) / max(end - begin, 1e-9):.3g} images a second"


def _tell(index: Mapping[str, Any], out: Path, rate: _Rate, *, as_json: bool) -> None:
    """Say what was predicted, and where it lies."""
    from mtmodels.predicting.folder import INDEX
    from mtmodels.predicting.images import endings_text

    if as_json:
        put_json({"out": str(out), **index})
        return
    number, tasks_done = len(index["images"]), ", ".join(index["tasks"])
    say(
        f"Predicted {tasks_done} of {counted(number, 'image')}{rate}; {out / INDEX} says what is "
        "where."
    )
    if "passed_over" in index:
        say(f"No images by their ending, so passed over: {endings_text(index['passed_over'])}.")
