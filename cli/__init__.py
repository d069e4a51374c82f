"""Command lines: parse, call one library function, print."""
