"""NYUv2, in each of the layouts that it is distributed in."""
