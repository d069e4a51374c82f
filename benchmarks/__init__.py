"""Measured comparisons, one file each: `python -m benchmarks.<folder>.<name>`; most have `--smoke`.

`all` has every ratio of speed, `gpu` is for the hour with a card, `gradients` and `collapse` look
into a trained run, `soak` keeps everything busy for hours.
"""
