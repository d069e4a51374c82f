"""How hard a method's own terms pull at the network, and where, beside the supervision.

Over batches of the training images of a run, drawn as in its training: the norm of the gradient of
the auxiliary terms on the network that predicts, over that of the supervised terms, and the cosine
between the two. A term whose share is near zero teaches the network nothing; one whose cosine is
near zero as well pulls where no label points.

    python -m benchmarks.gradients RUN... [--batches 8]
"""

import argparse
import statistics
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import describe
from mtmodels.methods.base import Method
from mtmodels.methods.views import Views
from mtmodels.training.loop.viewing import view_maker
from mtmodels.training.setup.data import open_data
from mtmodels.training.setup.loading import load_method, open_run
from mtmodels.training.setup.setup import make_loader


def gradient(loss: Tensor, method: Method) -> Tensor:
    """Of a loss on the parameters of the network, as one vector."""
    parameters = [p for p in method.network.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(parameters, found, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])


def compare(method: Method, views: Views, rng: torch.Generator) -> tuple[float, float] | None:
    """The share and the cosine of one batch; None where it lacks one kind of term."""
    terms = method(views, progress=1.0, rng=rng)
    if not terms.tasks or not terms.auxiliary:
        return None
    direct = gradient(torch.stack(list(terms.tasks.values())).sum(), method)
    own = gradient(torch.stack(list(terms.auxiliary.values())).sum(), method)
    cosine = torch.nn.functional.cosine_similarity(direct, own, dim=0)
    return (own.norm() / direct.norm()).item(), cosine.item()


def measure(folder: Path, batches: int) -> list[tuple[float, float]]:
    """The shares and cosines of a trained run."""
    run = open_run(folder)
    config = run.config.model_copy(update={"workers": 0})
    data = open_data(config)
    with data.store:
        method = load_method(run, data.tasks).train()
        views, rng = view_maker(config, method), torch.Generator().manual_seed(0)
        found = []
        for batch in make_loader(config, data).epoch(config.epochs):
            if one := compare(method, views(batch, config.epochs), rng):
                found.append(one)
            if len(found) == batches:
                break
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--batches", type=int, default=8)
    arguments = parser.parse_args()
    print(describe())
    print(f"medians over {arguments.batches} batches of training images, at the end of training")
    for folder in arguments.runs:
        found = measure(folder, arguments.batches)
        if not found:
            parser.error(f"the method of {folder} should add terms to those of tasks; found none.")
        shares, cosines = zip(*found, strict=True)
        share, cosine = statistics.median(shares), statistics.median(cosines)
        print(f"{share:8.3f} of the norm, cosine {cosine:6.3f}   {folder.name}", flush=True)


if __name__ == "__main__":
    main()
