"""What is known of a plug-in that was loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was loaded.

    Args:
        name: The name of the file without its suffix, or of the module.
        given: What the user named it by.
        module: The name under which Python knows its module.
        members: For each of its dicts the names in it.
        path: The file; None for a module that is imported by its name.
        digest: SHA-256 of the file; None for a module.
        source: The bytes of the file that were run; None for a module.
        distribution: Name and version of what installed it, where an entry point named it.
    """

    name: str
    given: str
    module: str
    members: Mapping[str, tuple[str, ...]]
    path: Path | None = None
    digest: str | None = None
    source: bytes | None = field(default=None, repr=False)
    distribution: tuple[str, str] | None = None

    @property
    def origin(self) -> str:
        """Where its members come from, for people."""
        if self.distribution is not None:
            return f"the plug-in `{self.name}` of {' '.join(self.distribution)}"
        return f"the plug-in {self.given}"
