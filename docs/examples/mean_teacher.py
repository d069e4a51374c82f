"""A method in 40 lines: `mttrain --plugin mean_teacher.py --method mean-teacher`."""

from copy import deepcopy

import torch

from mtmodels import Method, Options, Share, Supervision, Terms, View, Weight, kind_model


class MeanTeacherOptions(Options):
    decay: Share = 0.99
    """How much of the teacher stays after a step."""
    weight: Weight = 1.0
    """A factor on what the teacher teaches."""


class MeanTeacher(Method):
    """A moving average of the weights predicts the tasks that an image does not show.

    It sees the first view; the network learns its predictions on a strongly changed second one.
    """

    options: MeanTeacherOptions
    summary = "a moving average of the weights teaches the tasks that an image does not show"
    reference = "Tarvainen and Valpola 2017"
    uses_unlabelled = True
    minimum_views = default_views = 2

    def __init__(self, network, **options):
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks)
        self.teacher = deepcopy(network).requires_grad_(False)

    def views(self, count):
        return [View()] + [View(colour=1.0, blur=1.0, supervised=False)] * (count - 1)

    def forward(self, views, *, progress, rng):
        outputs = views.predict(self.network)
        with torch.no_grad():
            taught = self.teacher(views.main.image).predictions
        own = {}
        for task in self.network.tasks:
            as_value, hidden = kind_model(task).as_value, ~views.main.shows(task.name)
            target, inside = views.moved(task, as_value(taught[task.name]))
            distance = (as_value(outputs[-1].predictions[task.name]) - target).square().mean(1)
            there = inside & hidden[:, None, None]
            mean = distance.where(there, 0).sum() / there.sum().clamp(min=1)
            own[f"{task.name}/teacher"] = self.options.weight * mean
        return self.supervision.terms(views, outputs) + Terms(auxiliary=own)

    def after_step(self, *, progress):
        now = self.network.state_dict()
        for name, value in self.teacher.state_dict().items():
            value.copy_(torch.lerp(now[name].double(), value.double(), self.options.decay))


METHODS = {"mean-teacher": MeanTeacher}
