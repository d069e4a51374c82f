"""Names and colours of classes that lie beside the data, as people and tools write them."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtdata.sources.files.files import check_links
from mtdata.sources.folder.proposing.words import words

NAMES = (
    "classes", "class_names", "classnames", "labels", "label", "names", "label_names", "codes",
    "labelmap", "label_map", "label_colors", "label_colours", "class_dict", "colormap", "palette",
    "config", "obj",
)  # fmt: skip
SUFFIXES = (".txt", ".csv", ".names", ".json")
LARGEST = 100_000
"""Bytes of a list; what is larger is something else."""
IGNORED = ("ignore", "void", "unlabeled", "unlabelled", "unknown")
COLOUR = r"(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})"


@dataclass(frozen=True)
class Listed:
    """Classes that a file names: by id, or by colour; `void` are names that mean nothing."""

    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    where: str = ""

    @property
    def void(self) -> tuple[str, ...]:
        """Names that mean nothing."""
        return tuple(name for name in self.colours if any(w in IGNORED for w in words(name)))


NOTHING_LISTED = Listed()


def find_lists(root: Path, folders: Iterable[Path]) -> list[Listed]:
    """What the lists in a folder, and in those of its files, say; the nearest first."""
    found = []
    for folder in dict.fromkeys((*folders, root)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() not in SUFFIXES or path.stem.lower() not in NAMES:
                continue
            check_links([path], root)
            if not path.is_file() or path.stat().st_size > LARGEST:
                continue
            try:
                text = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError):
                continue
            listed = parse_list(text, path.relative_to(root).as_posix())
            if listed is not None:
                found.append(listed)
    return found


def parse_list(text: str, where: str) -> Listed | None:
    """The classes of a list: names, ids and names, names and colours, or JSON of a tool."""
    if where.lower().endswith(".json"):
        return _json(text, where)
    lines = [
        line.strip() for line in text.splitlines()
        if line.strip() and not re.match(r"#\s|#$|#\s*label|(name|label|class)[,;\t]", line.strip())
    ]  # fmt: skip
    coloured = [_coloured(line) for line in lines]
    if lines and all(coloured):
        colours = dict(each for each in coloured if each)
        unique = len(colours) == len(lines) == len(set(colours.values()))
        return Listed({}, colours, where) if unique else None
    numbered = [re.fullmatch(r"(\d+)\s*[\s:,;=]\s*(\S.*)", line) for line in lines]
    if lines and all(numbered):
        names = {int(match[1]): match[2].strip() for match in numbered if match}
    else:
        # labelme gives __ignore__ the id -1, the next one has 0.
        kept = lines[1:] if lines and lines[0] == "__ignore__" else lines
        names = dict(enumerate(kept))
    good = len(names) > 1 and len(set(names.values())) == len(names)
    return Listed(names, {}, where) if good else None


def _coloured(line: str) -> tuple[str, str] | None:
    """Name and colour of a line, whichever comes first: CVAT, CamVid, tables."""
    first = re.fullmatch(rf"{COLOUR}[\s,;:]+(\S.*)", line)
    last = re.fullmatch(rf"(\S.*?)\s*[\s,;:]\s*{COLOUR}\s*(?:[:,;].*)?", line)
    found = first.groups() if first else (*last.groups()[1:], last[1]) if last else None
    if found is None or any(int(part) > 255 for part in found[:3]):
        return None
    return found[3].strip(), f"#{bytes(map(int, found[:3])).hex()}"


def _json(text: str, where: str) -> Listed | None:
    """What PixelAnnotationTool writes: labels with id and colour."""
    try:
        content = json.loads(text)
        labels = content["labels"]
        names = {int(label["id"]): str(name) for name, label in labels.items()}
        colours = {
            str(name): f"#{bytes(map(int, label['color'][:3])).hex()}"
            for name, label in labels.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Listed(dict(sorted(names.items())), colours, where) if len(names) > 1 else None
