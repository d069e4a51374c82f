"""The size that an image is predicted at, and back."""

import pytest
import torch
import torch.nn.functional as F

from mtmodels.predicting.sizes import How, Size, at_size, network_size


@pytest.mark.parametrize(
    ("image", "how", "size"),
    [
        ((480, 640), "trained", (288, 384)),  # the same shape: exactly the size trained on
        ((288, 384), "trained", (288, 384)),
        ((640, 480), "trained", (384, 288)),
        ((200, 800), "trained", (166, 665)),
        ((1, 10**6), "trained", (1, 332554)),
        ((480, 640), "native", (480, 640)),
        ((480, 640), (100, 100), (100, 100)),
    ],
)
def test_an_image_keeps_its_shape_and_gets_the_area_trained_on(
    image: Size, how: How, size: Size
) -> None:
    assert network_size(image, how, (288, 384)) == size


@pytest.mark.parametrize("size", [(7, 9), (20, 31), (3, 40), (1, 1), (5, 4)])
@pytest.mark.parametrize("band", [1, 50, 2**24])
def test_resizing_in_bands_is_bilinear_interpolation(size: Size, band: int) -> None:
    prediction = torch.randn(4, 7, 9, generator=torch.Generator().manual_seed(0))
    found = at_size(prediction, size, lambda x: x, band=band)
    wanted = F.interpolate(prediction[None], size, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("band", [1, 50, 2**24])
def test_some_rows_and_columns_are_those_of_the_whole(band: int) -> None:
    prediction = torch.randn(4, 7, 9, generator=torch.Generator().manual_seed(0))
    whole = at_size(prediction, (20, 31), lambda x: x)
    rows, columns = [0, 3, 4, 19], [30, 2, 11]
    found = at_size(prediction, (20, 31), lambda x: x, band=band, rows=rows, columns=columns)
    assert torch.equal(found, whole[:, rows][..., columns])


def test_logits_are_interpolated_before_a_class_is_chosen() -> None:
    # Between two pixels that are sure of classes 0 and 2, class 1 is the likeliest.
    logits = torch.tensor([[[9.0, 0.0]], [[6.0, 6.0]], [[0.0, 9.0]]])
    found = at_size(logits, (1, 6), lambda x: x.argmax(1, keepdim=True), band=3)
    assert found.tolist() == [[[0, 0, 1, 1, 2, 2]]]
