"""One registry for every family of things: a name, and where its member is.

A member is imported when it is asked for, so that names can be listed, and completed by a shell,
without importing numpy or torch. For the same reason installed plug-ins are looked for only when a
name is asked for that nobody knows yet.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from mtdata.errors import UnknownNameError

M = TypeVar("M")

INSTALLED = "mtdata.plugins:load_installed"
"""What adds the members of installed plug-ins; it stands above this, so it is named only."""


class Registry(Mapping[str, M], Generic[M]):
    """The members of a family by name, in order.

    Args:
        family: What a member is, singular: "method".
        base: The class that members derive from, as "module:Class".
        members: Name -> "module:Class".
    """

    def __init__(self, family: str, *, base: str, members: Mapping[str, str]) -> None:
        self.family = family
        self._base = base
        self._members: dict[str, str | M] = dict(members)
        self._origins: dict[str, str] = {}

    @property
    def base(self) -> type[Any]:
        """The class that members derive from."""
        base: type[Any] = imported(self._base)
        return base

    @property
    def origins(self) -> Mapping[str, str]:
        """The members that were added, and by what."""
        return self._origins

    def __getitem__(self, name: str) -> M:
        """The member of a name; raises UnknownNameError, which names the nearest there is."""
        if name not in self:
            raise UnknownNameError(self.family, str(name), tuple(self._members))
        member = self._members[name]
        if isinstance(member, str):
            self._members[name] = member = imported(member)
        return member

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        # That of Mapping would import the member.
        if name not in self._members:
            imported(INSTALLED)()
        return name in self._members

    def add(self, name: str, member: M, *, origin: str) -> None:
        """Add the member of a plug-in, which was checked.

        Args:
            name: What it is called.
            member: A class that derives from `base`, or an object of one.
            origin: Where it comes from, for messages.
        """
        self._members[name] = member
        self._origins[name] = origin

    def remove(self, name: str) -> None:
        """Take out a member that was added."""
        del self._origins[name], self._members[name]


def imported(where: str) -> Any:
    """What "module:name" names."""
    module, _, attribute = where.partition(":")
    return getattr(import_module(module), attribute)
