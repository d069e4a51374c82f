"""A weighting in 20 lines: `mttrain --plugin weighting.py --weighting halves`."""

from mtmodels import Options, Share, Weighting


class HalvesOptions(Options):
    factor: Share = 0.5
    """What every loss is multiplied with."""


class Halves(Weighting):
    """All losses by one factor."""

    options: HalvesOptions
    summary = "all losses by one factor"
    reference = "none"
    adds_up = True

    def backward(self, terms, shared, backward):
        total = sum(self.options.factor * loss for loss in terms.tasks.values())
        total = total + sum(self.auxiliary(terms))
        backward(total)
        return total.detach()

    def weights(self):
        return dict.fromkeys(self.tasks, self.options.factor)


WEIGHTINGS = {"halves": Halves}
