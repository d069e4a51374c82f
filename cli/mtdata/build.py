"""`mtdata build`."""

import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, paragraph, put_json, say, training_command
from cli.shared.completion import Known
from cli.shared.groups import Command, examples
from cli.shared.members import Member
from cli.shared.options import (
    COMPRESSIONS,
    FILE,
    allowing_files,
    file_options,
    pair,
    regime_options,
    seed_option,
    set_option,
    size,
    tasks_option,
)
from cli.shared.plugins import plugin_option
from mtdata.errors import LISTED, UsageError
from mtdata.regimes import REGIMES
from mtdata.sources import SOURCES
from mtdata.sources.folder.annotations import FORMATS
from mtdata.wording import counted, listed

if TYPE_CHECKING:
    from mtdata.building.regimes import RegimeSpec
    from mtdata.building.summary import BuildPlan, BuildSummary
    from mtdata.sources.base import Source


class Buildable(Member):
    """A data set; the formats of annotation tools, which `init` takes, are told apart."""

    def check(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As of any member."""
        if value in FORMATS:
            self.fail(
                f"`{value}` is no data set but a format of annotations: `mtdata init DIR --dataset "
                f"{value}` describes such a folder, which `--dataset folder` then builds.",
                param,
                ctx,
            )
        return super().check(value, param, ctx)


def _cores() -> int:
    from mtdata.reading.memory import cores

    return cores()


SOURCE_OPTIONS = (
    "classes", "depth", "normals", "crop", "layout", "edges", "images", "unlabelled"
)  # fmt: skip
LARGE = 1_000_000
"""Pixels of an image above which a build suggests a smaller size."""
REGIME_OPTIONS = ("ratio", "share", "stable")


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata build --dataset nyu --source nyuv2 --regime one --regime random",
        "mtdata build --dataset nyu --classes 40 --tasks semantic,depth --size 96x128 --jobs 2",
        "mtdata build --dataset cityscapes --source downloads --classes 19 --depth m --regime one",
        "mtdata build --dataset pascal --source PASCAL_MT --regime one --regime random",
        "mtdata build --dataset rooms --images 400,100 --regime one --out rooms.h5",
        "mtdata build --dataset folder --source photos --scheduler tcp://head:8786",
    ),
)
@click.option(
    "--dataset",
    required=True,
    type=Buildable(SOURCES),
    help="See `mtdata datasets`; or that of a plug-in.",
)
@click.option(
    "--source",
    "root",
    type=FILE,
    help="Folder to read.  [default: $MTDATA_SOURCES/NAME, then data/raw/NAME]",
)
@click.option(
    "--name",
    metavar="NAME",
    help="What to call the data set, in the store and in results.  [default: that of --dataset]",
)
@click.option("-o", "--out", type=FILE, help="Store to write.  [default: data/NAME.h5]")
@click.option(
    "--regime",
    "regimes",
    multiple=True,
    type=Member(REGIMES, late=True),
    metavar="KIND[:NAME]",
    help="Draw a regime (full, one, random, imbalanced, fraction, or one of a plug-in) on the "
    "training splits, under its own or another name; may be repeated. The first is the one that "
    "mttrain uses by default.",
)
@regime_options
@set_option
@click.option(
    "--size",
    type=size("native", "default"),
    metavar="HxW",
    default="default",
    help="Height and width to stretch images to; native keeps the source's.  "
    "[default: the data set's]",
)
@tasks_option
@click.option(
    "--classes",
    type=Known(13, 40, 7, 19),
    help="nyu: 13 or 40; cityscapes: 7 or 19.  [default: 13, 7]",
)
@click.option(
    "--depth",
    type=Known("filled", "raw", "disparity", "px", "m"),
    help="nyu: filled or raw; cityscapes: disparity, px or m.  [default: filled, disparity]",
)
@click.option(
    "--normals",
    type=Known("computed", "given"),
    help="nyu: computed (from depth) or given.  [default: what there is]",
)
@click.option(
    "--crop",
    metavar="BOX",
    help="nyu: part of the 480x640 frame to keep: default (44,40,427,561), none, or "
    "top,left,height,width.",
)
@click.option(
    "--layout",
    type=Known("mat", "folders", "mtan", "official"),
    help="nyu: mat, folders or mtan; cityscapes: official or mtan.  [default: what lies there]",
)
@click.option(
    "--edges",
    type=Known("split", "target", "boundaries"),
    help="pascal: split (target in train, boundaries in val), target or boundaries.  "
    "[default: split]",
)
@click.option(
    "--unlabelled",
    type=click.Choice(["refuse", "skip", "keep"]),
    help="Images without any label: refuse them, skip them (folder), or keep them for methods that "
    "learn from such images.  [default: refuse, or as tasks.yaml says]",
)
@click.option("--images", type=pair, metavar="N,N", help="rooms: images to train, to test.")
@file_options
@click.option("--limit", type=click.IntRange(min=1), help="Only so many images of each split.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=_cores,
    help="Worker processes.  [default: one a core that may be used]",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Have workers of a Dask cluster read the images, such as tcp://head:8786; they see the "
    "source under the same path.  [default: processes of this machine]",
)
@seed_option
@click.option(
    "--compression",
    type=click.Choice(COMPRESSIONS),
    default="blosc",
    show_default=True,
    help="blosc, or gzip or none for any reader.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse an image that lacks a label of any task, and implausible data.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What images that cannot be used do, when all others are read: end the build, which tells "
    "them all, or stay out of the store, which is told too.",
)
@click.option("--resume", is_flag=True, help="Continue a build that was interrupted.")
@click.option("--overwrite", is_flag=True, help="Replace a store that exists.")
@click.option("--dry-run", is_flag=True, help="Say what would be built, and write nothing.")
@plugin_option
@json_option
def build(*, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Build a store: one file with images, labels, and which labels may be seen.

    An interrupted build leaves no store, only a partial file that --resume continues.
    """
    with allowing_files(options):
        _build(options, as_json=as_json, dry_run=dry_run)


def _build(options: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    resume, overwrite = options.pop("resume"), options.pop("overwrite")
    if resume and overwrite:
        raise UsageError("--resume keeps what is there and --overwrite does not: give one of them.")
    source = _open(options.pop("dataset"), options)
    if options["size"] == "default":
        _advise_size(source)
    request = _request(source, options)
    request["mode"] = "resume" if resume else "overwrite" if overwrite else "new"
    if dry_run:
        from mtdata.building.build import plan

        del request["seed"], request["scheduler"]  # they change nothing of a plan
        planned = plan(source, **request)
        put_json(planned.to_json()) if as_json else _print_plan(planned)
        return
    from cli.shared.progress import progress_bar
    from mtdata.building.build import build as run_build

    try:
        with progress_bar() as report:
            summary = run_build(source, progress=report, **request)
    except KeyboardInterrupt:
        say("What was done is kept: the same command with --resume continues it.")
        raise
    put_json(summary.to_json()) if as_json else _print(summary, source)


def _open(dataset: str, options: dict[str, Any]) -> "Source":
    """The source, with the options that were given for it."""
    from mtdata.sources.locate import locate, open_source

    given = {name: options.pop(name) for name in SOURCE_OPTIONS}
    chosen = {name: value for name, value in given.items() if value is not None}
    takes, kinds = SOURCES[dataset].takes, [text.partition(":")[0] for text in options["regimes"]]
    theirs = {name for kind in kinds if kind in REGIMES for name in REGIMES[kind].takes}
    # What neither takes is refused with the options of the source.
    own = {name: v for name, v in options["assignments"] if name in takes or name not in theirs}
    chosen |= own
    if "seed" in SOURCES[dataset].takes:
        chosen["seed"] = options["seed"]
    if "size" in SOURCES[dataset].takes and isinstance(options["size"], tuple):
        chosen["size"] = options["size"]  # made at this size, instead of resized to it
    root: Path | None = options.pop("root")
    if options["scheduler"] is not None and (found := locate(SOURCES[dataset], root)):
        root = found.absolute()  # workers were started in folders of their own
    source = open_source(dataset, root, **chosen)
    for remark in source.remarks():
        say(paragraph(f"Note: {remark}"))
    return source


def _advise_size(source: "Source") -> None:
    """Say of large photos, that nobody gave a size for, which one networks are trained at."""
    from mtdata.sources.folder.source import Folder
    from mtdata.tasks.resize import fitting_size

    if isinstance(source, Folder) and math.prod(size := source.largest()) > LARGE:
        (height, width), (h, w) = size, fitting_size(size)
        say(
            paragraph(
                f"Note: images are stored at {height}x{width}, which is large and slow to train "
                f"on; --size {h}x{w} is about what networks are trained at."
            )
        )


def _request(source: "Source", options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `mtdata.building.build.build`."""
    regimes = _regimes(options)
    out: Path | None = options.pop("out")
    wanted = options.pop("size")
    return {
        **options,
        "out": out or Path("data") / f"{options['name'] or source.name}.h5",
        "size": None if wanted == "native" else wanted,
        "regimes": regimes,
    }


def _regimes(options: dict[str, Any]) -> "list[RegimeSpec]":
    """The regimes, each with those options that are for it."""
    from mtdata.building.regimes import RegimeSpec

    asked = [text.partition(":") for text in options.pop("regimes")]
    kinds = [kind for kind, _, _ in asked]
    called = [name if colon else None for _, colon, name in asked]
    given = {name: value for name in REGIME_OPTIONS if (value := options.pop(name))}
    assigned = dict(options.pop("assignments"))
    if "import" in kinds:
        raise UsageError(
            "--regime import needs the images of a store: build it, then read the file with "
            "`mtdata regime add FILE --from PATH`."
        )
    takes = [REGIMES[kind].takes if kind in REGIMES else () for kind in kinds]
    for name in given:
        if not any(name in names for names in takes):
            able = [kind for kind, regime in REGIMES.items() if name in regime.takes]
            raise UsageError(f"--{name} is for --regime {' or '.join(able)}. Add it, or leave out.")
    return [
        RegimeSpec(kind, name, {o: v for o, v in (given | assigned).items() if o in names})
        for kind, name, names in zip(kinds, called, takes, strict=True)
    ]


def _print(summary: "BuildSummary", source: "Source") -> None:
    from cli.shared.tables import put_splits, size_text

    put_splits(summary.splits)
    _say_how(summary, size_text(summary.bytes))
    for gap in _gaps(summary, source):
        say(paragraph(gap))
    say(
        f"Training shows the labels of the regime `{summary.default_regime}` unless told otherwise."
    )
    look = shlex.join(["mtdata", "info", str(summary.path)])
    say(f"Next: {look}, or {training_command(summary.path)}")


def _gaps(summary: "BuildSummary", source: "Source") -> Iterator[str]:
    """What training and testing will lack, by how images fell into splits."""
    from mtdata.sources.folder.source import Folder

    said = source.file.splits if isinstance(source, Folder) else None
    remedy = ""
    if said is not None:
        remedy = " Correct `splits` in tasks.yaml, and build with --overwrite, if that is not meant"
        remedy += "." if said.fraction is None else ": another `seed` draws others."
    for split in source.splits():
        if split not in summary.splits:
            yield f"No image in split {split}.{remedy}"
    if said is not None and said.fraction is not None:
        yield from _share(summary, said.fraction)
    roles = source.roles()
    for role, what in (("train", "training"), ("test", "test")):
        of = [split for name, split in summary.splits.items() if roles.get(name) == role]
        for task in of[0].labels if of else ():
            there = {name: n for name, split in summary.splits.items() if (n := split.labels[task])}
            if there and not any(split.labels[task] for split in of):
                count = counted(sum(there.values()), "label")
                yield f"No {what} label of `{task}`: {count}, in {listed(list(there))}.{remedy}"


def _share(summary: "BuildSummary", asked: float) -> Iterator[str]:
    """That the hash of each key, which decides of few images too, gave another share."""
    there = sum(split.images for split in summary.splits.values())
    test = summary.splits["test"].images if "test" in summary.splits else 0
    if 0 < test < there and abs(test / there - asked) > min(asked, 1 - asked) / 2:
        yield (
            f"{test} of {counted(there, 'image')} ({100 * test / there:.0f} %) are for testing; "
            f"{100 * asked:.3g} % was asked, which few images can miss by much. Another `seed` of "
            "`splits` in tasks.yaml draws others, and `lists` say which; build with --overwrite."
        )


def _say_how(summary: "BuildSummary", size: str) -> None:
    from mtdata.sources.files.imageheader import LOOKED_AT
    from mtdata.sources.folder.annotations.base import NOT_DRAWN

    images = sum(split.images for split in summary.splits.values())
    done = images - summary.resumed + summary.changed
    if summary.complete:
        say(f"{summary.path}: {size}, complete before; there was nothing to do.")
        _say_skipped(summary)
        return
    seconds = summary.seconds
    say(f"{summary.path}: {size}, made in {seconds:.1f} s ({done / seconds:.0f} images/s).")
    if summary.resumed:
        say(f"From a build that was interrupted: {counted(summary.resumed, 'image')}.")
    if summary.changed:
        say(f"{summary.changed} of them have changed since and were read again.")
    undrawn = {what: n for what, n in summary.notes.items() if what.startswith(NOT_DRAWN)}
    if images > LOOKED_AT:  # else the notes before the build have counted them all
        for what in sorted(summary.notes.keys() - undrawn.keys()):
            say(paragraph(f"Note: {summary.notes[what]} of the images {what}."))
    if undrawn:
        told = [f"{w.removeprefix(NOT_DRAWN)} ({counted(n, 'image')})" for w, n in undrawn.items()]
        say(
            paragraph(
                f"Note: annotations without an area are not drawn: {listed(told)}. Where a file "
                "has a box of one, pixels there that no shape covers are void; elsewhere they are "
                "as `uncovered` says."
            )
        )
    _say_skipped(summary)
    if summary.lost:
        each = ", ".join(f"{name} {n}" for name, n in summary.lost.items())
        say(
            f"Without a valid pixel at this size: {counted(sum(summary.lost.values()), 'label')} "
            f"({each}), which count as missing."
        )
    if summary.void:
        each = ", ".join(f"{name} {100 * share:.1f} %" for name, share in summary.void.items())
        say(f"Void pixels: {each}.")
    if summary.absent:
        said = "; ".join(summary.absent)
        say(paragraph(f"Of this excerpt: {said}. In the whole data set that would be implausible."))
    if summary.implausible:
        say(paragraph(f"Implausible: {'; '.join(summary.implausible)}. Is that meant?"))


def _counted(images: int) -> str:
    return f"{images} image{'' if images == 1 else 's'}"


def _say_skipped(summary: "BuildSummary") -> None:
    bare = [f"{each.split}/{each.key}" for each in summary.skipped if each.meant]
    if bare:
        shown = ", ".join(bare[:3]) + (", ..." if len(bare) > 3 else "")
        said = "left out, with a label file and no label in it"
        say(paragraph(f"{_counted(len(bare))} {said}: {shown}."))
    skipped = [each for each in summary.skipped if not each.meant]
    if not skipped:
        return
    say(
        paragraph(
            f"Warning: {_counted(len(skipped))} could not be used and left out of the store. "
            "Mend the files, then add them with `mtdata update`:"
        )
    )
    for each in skipped[:LISTED]:
        say(paragraph(f"  {each.split}/{each.key}: {each.what}"))
    if len(skipped) > LISTED:
        say(f"  and {len(skipped) - LISTED} more (--json lists all).")


def _print_plan(plan: "BuildPlan") -> None:
    from cli.shared.tables import put_table, size_text

    size = "native" if plan.size is None else f"{plan.size[0]}x{plan.size[1]}"
    put_table(["split", "images"], list(plan.splits.items()))
    say(
        f"Would write {plan.path}: {', '.join(plan.tasks)} at {size}, about "
        f"{size_text(plan.bytes)} in {plan.seconds:.0f} s. Nothing was written."
    )
    enough = "" if plan.peak <= plan.free else ": too little"
    say(
        f"While it is built the disk has to hold about {size_text(plan.peak)}; "
        f"{size_text(plan.free)} are free there{enough}."
    )
