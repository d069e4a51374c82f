"""The store that `mttrain` takes where none is named."""

from pathlib import Path

from cli.shared.common import say
from mtdata.errors import UsageError
from mtdata.wording import counted

FOLDER = Path("data")
ROOMS = FOLDER / "rooms.h5"


def find_store(*, may_build: bool = True) -> Path:
    """The one store in `data/`; where there is none, `rooms` is built there.

    Args:
        may_build: Whether a store may be written.

    Raises:
        UsageError: where there are several, or none and it may not be built.
    """
    found = sorted(FOLDER.glob("*.h5"))
    if len(found) > 1:
        raise UsageError(
            f"--data should say which store: {FOLDER}/ has {', '.join(p.name for p in found)}."
        )
    if not found and not may_build:
        raise UsageError(
            f"--dry-run writes nothing and needs a store; found none in {FOLDER}/. Name one with "
            "--data, or build made-up rooms with `mtdata build --dataset rooms --regime one`."
        )
    return found[0] if found else build_rooms()


def build_rooms() -> Path:
    """Build made-up rooms, with the regimes of the papers."""
    from cli.shared.progress import progress_bar
    from mtdata import SOURCES
    from mtdata.building.build import build
    from mtdata.building.regimes import RegimeSpec
    from mtdata.reading.memory import cores

    source = SOURCES["rooms"](None)
    say(f"No store in {FOLDER}/: building made-up rooms into {ROOMS}, which takes a moment.")
    with progress_bar() as report:
        # "resume": an earlier start of this may have been interrupted.
        summary = build(
            source,
            ROOMS,
            jobs=cores(),
            regimes=[RegimeSpec("one"), RegimeSpec("random")],
            mode="resume",
            progress=report,
        )
    images = sum(split.images for split in summary.splits.values())
    say(f"Built {ROOMS}: {counted(images, 'image')} in {summary.seconds:.0f} s.")
    return ROOMS
