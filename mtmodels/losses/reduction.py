"""From the loss of each pixel to one number for the batch."""

from jaxtyping import Bool, Float
from torch import Tensor


def image_means(
    loss: Float[Tensor, "n h w"], valid: Bool[Tensor, "n h w"]
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """The mean over the valid pixels of each image, and which images have one at all.

    The mean of an image without a valid pixel is 0, with no gradient.
    """
    count = valid.sum((1, 2))
    return loss.sum((1, 2)) / count.clamp(min=1), count > 0


def over_images(
    loss: Float[Tensor, "n h w"],
    valid: Bool[Tensor, "n h w"],
    *,
    batch: int,
    weight: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """(1 / batch) x the sum of the means of the images, as the released MTPSL code does.

    A task that every image of the batch shows gets the plain mean. The sum over processes of equal
    batches, divided by their number, is the value of the joint batch.

    Args:
        loss: Of the images that show the task.
        valid: Of the same images.
        batch: Images in the batch, with or without a label of the task.
        weight: A factor on each image.
    """
    means, _ = image_means(loss, valid)
    return (means if weight is None else means * weight).sum() / batch


def over_pixels(
    loss: Float[Tensor, "n h w"],
    valid: Bool[Tensor, "n h w"],
    *,
    batch: int,
    weight: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """(n / batch) x the mean over all valid pixels of the n images that have one.

    Images with more of them weigh more. A task that every image shows gets the plain mean, as the
    code released with XTasC-Net takes it of classes; one that half of them show weighs half as
    much, as it does under `over_images`.

    Args:
        loss: Of the images that show the task.
        valid: Of the same images.
        batch: Images in the batch, with or without a label of the task.
        weight: As how much of one each image counts in n.
    """
    shown = valid.flatten(1).any(1).to(loss.dtype)
    images = (shown if weight is None else shown * weight).sum()
    return loss.sum() / valid.sum().clamp(min=1) * (images / batch)
