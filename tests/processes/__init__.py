"""Other processes: of a server, a browser, a command, another library."""
