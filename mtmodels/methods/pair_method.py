"""What methods share that map predictions of tasks without a label to tasks that have one."""

from typing import Any, ClassVar

from mtdata.errors import UnknownNameError
from mtmodels.methods.parts.pairs import CHOICES, Pair, present_pairs
from mtmodels.methods.semi_supervised import Look, SemiSupervised, check_weight
from mtmodels.networks.base import Network


class PairMethod(SemiSupervised):
    """An image is consistent in pairs of tasks: the prediction of one, the label of another.

    Args:
        network: The network to train.
        consistency_weight: A factor on the sum over the pairs of an image; 1 in equation 4.
        pairs: "unlabelled": a task without a label with one that has one. "all": every ordered
            pair with a label. "auto": the first; the second for an image that has a label of every
            task.
        mapping_rate: A factor on the learning rate of the mapping.
        options: Those of `SemiSupervised`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.
    """

    minimum_tasks: ClassVar[int] = 2

    def __init__(
        self,
        network: Network,
        *,
        consistency_weight: float = 1.0,
        pairs: str = "auto",
        mapping_rate: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(network, **options)
        if pairs not in CHOICES:
            raise UnknownNameError("choice of pairs", pairs, CHOICES)
        check_weight("consistency_weight", consistency_weight)
        check_weight("mapping_rate", mapping_rate)
        self.consistency_weight, self.pairs = consistency_weight, pairs
        self.mapping_rate = mapping_rate

    @staticmethod
    def inner_width(network: Network, mapping_width: float | None) -> float:
        """The factor on the channels of the mapping: as given, or what suits the network.

        Raises:
            ValueError: where it is not positive.
        """
        if mapping_width is None:
            return network.width * network.mapping_width
        if not mapping_width > 0:
            raise ValueError(f"`mapping_width` should be above 0; found {mapping_width}.")
        return mapping_width

    def present(self, look: Look) -> list[Pair]:
        """The pairs that have a term: those that the labels of the last view allow."""
        return present_pairs(self.supervision.seen(look.batch), self.pairs)
