"""What an index page of packages shows: the README, with links that lead to the project's files.

On such a page a path within the project leads nowhere. `PROJECT_ADDRESS=https://github.com/you/it`
says where the files are (`make dist ADDRESS=…`); without it they stay paths.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)(\[[^\]]*\]\()(?!\w+:|#)([^)\s]+)(?=\))")
"""A picture or a link to a path, up to the path."""
CODE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)


def linked(text: str, address: str, version: str) -> str:
    """A text in Markdown with its paths as addresses of the files of a version."""

    def absolute(found: re.Match[str]) -> str:
        picture, before, path = found.groups()
        return f"{picture}{before}{address}/{'raw' if picture else 'blob'}/v{version}/{path}"

    parts = CODE.split(text)  # every second one is code
    parts[::2] = [LINK.sub(absolute, part) for part in parts[::2]]
    return "".join(parts)


class IndexPage(MetadataHookInterface):
    """Gives a distribution its README, and its links where an address is known."""

    def update(self, metadata: dict[str, object]) -> None:
        """Fill in what pyproject.toml calls dynamic."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        address = os.environ.get("PROJECT_ADDRESS", "").rstrip("/")
        if address:
            text = linked(text, address, str(metadata["version"]))
            metadata["urls"] = {
                "Source": address,
                "Documentation": f"{address}/tree/v{metadata['version']}/docs",
                "Changelog": f"{address}/blob/v{metadata['version']}/docs/changelog.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
