"""Scores of runs: evaluation, tables, deltas, published rows, comparison."""
