"""Colours for classes that bring none."""

from colorsys import hls_to_rgb

GOLDEN = 0.6180339887498949
LIGHT = (0.5, 0.32, 0.7)


def distinct(count: int) -> tuple[tuple[int, int, int], ...]:
    """So many colours, neighbours far apart; the first ones do not depend on how many.

    Hues are steps of the golden section around the circle, in three lightnesses by turns.
    """
    return tuple(_colour(number) for number in range(count))


def _colour(number: int) -> tuple[int, int, int]:
    hue, light = (0.6 + number * GOLDEN) % 1, LIGHT[number % len(LIGHT)]
    red, green, blue = (round(255 * part) for part in hls_to_rgb(hue, light, 0.65))
    return red, green, blue
