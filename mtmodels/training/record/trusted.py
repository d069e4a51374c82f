"""Which plug-ins of run folders are the user's own: those that a run on this machine has kept."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path


def state_folder() -> Path:
    """Where what is known of this machine and this user is kept from run to run.

    Raises:
        RuntimeError: where there is no home folder.
    """
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    state = given if given.is_absolute() else Path.home() / ".local" / "state"
    return state / "mtpartial"


def trust_file() -> Path:
    """One JSON object a line; it is only ever appended to, by however many runs at once.

    Raises:
        RuntimeError: where there is no home folder.
    """
    return state_folder() / "trusted-plugins.jsonl"


def trusts(key: str) -> bool:
    """Whether a plug-in was noted, on this machine and by this user."""
    try:
        lines = trust_file().read_text(encoding="utf-8").splitlines()
    except (OSError, RuntimeError, UnicodeDecodeError):
        return False
    return any(_key(line) == key for line in lines)


def note(key: str, name: str) -> bool:
    """Note a plug-in as the user's own; returns whether that could be written.

    Args:
        key: What it is known by later.
        name: What a reader of the file knows it by.
    """
    if trusts(key):
        return True
    when = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"key": key, "plugin": name, "since": when}) + "\n"
    try:
        path = trust_file()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
    except (OSError, RuntimeError):
        return False
    return True


def _key(line: str) -> object:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found.get("key") if isinstance(found, dict) else None
