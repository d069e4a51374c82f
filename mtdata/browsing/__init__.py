"""Stores looked at in a web browser: a server of this machine alone, which changes nothing."""
