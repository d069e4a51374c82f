"""Measured comparisons, one file each: `python -m benchmarks.<name>`; `--smoke` for a quick run."""
