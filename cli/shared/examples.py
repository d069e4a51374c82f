"""Examples at the end of a command's help."""


def examples(*lines: str) -> str:
    """The epilog of a command, one example a line."""
    # A backspace alone on a line tells click not to wrap what follows.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
