"""One image with its labels."""

import numpy as np

from mtdata.tasks.sample import Camera, Extent, Sample


def test_what_is_cut_off_moves_the_camera() -> None:
    label, valid = np.arange(80.0).reshape(8, 10), np.ones((8, 10), bool)
    sample = Sample(
        "0",
        np.zeros((8, 10, 3), np.uint8),
        {"depth": label},
        {"depth": valid},
        Camera(20.0, 21.0, 5.0, 4.0),
        Extent(2, 3, 4, 5),
    )
    true = sample.trimmed()
    assert (true.camera, true.extent) == (Camera(20.0, 21.0, 2.0, 2.0), None)
    assert true.image.shape == (4, 5, 3)
    np.testing.assert_array_equal(true.labels["depth"], label[2:6, 3:8])
    assert true.trimmed() is true
