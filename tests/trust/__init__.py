"""Nothing wrong is ever read: campaigns of damage and of hostile input, seeded and counted.

A campaign is a module with a function `trials(folder, count, seed)` that yields, for each trial,
what was done and what came of it. The tests run a few of each; `make slow` runs as many as the
documentation counts, and `python -m tests.trust CAMPAIGN --trials N` prints the counts.
"""
