"""What is in a data set, and which labels of it may be seen."""

from mtdata.kinds import Binary, Classes, Depth, Kind, Normals
from mtdata.sample import Camera, Sample
from mtdata.task import TASK_ORDER, Task

__all__ = [
    "TASK_ORDER",
    "Binary",
    "Camera",
    "Classes",
    "Depth",
    "Kind",
    "Normals",
    "Sample",
    "Task",
]
