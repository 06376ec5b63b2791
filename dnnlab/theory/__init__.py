"""Theory: what is expected of random networks, before any training.

Of one activation: `moments`, the critical initialisation (`critical`), and how deep signals reach (`depth_scale`). Of
a whole fully connected network: how its gradients change with depth (`predict_gradients`). These are of mean-field
theory. How many units of a network are dead (`expected_dead`) is the mean over networks freshly drawn.
`born_dead_bounds` is about narrow networks.

σw² is fan_in · Var W, and σb² is Var b.
"""

from typing import TYPE_CHECKING

from dnnlab.lazy import offers

if TYPE_CHECKING:
    from dnnlab.networks.meanfield import critical, depth_scale, moments
    from dnnlab.theory.death import born_dead_bounds, expected_dead
    from dnnlab.theory.gradients import predict as predict_gradients
    from dnnlab.theory.setting import InputStatistics, Setting

__all__ = [
    "InputStatistics",
    "Setting",
    "born_dead_bounds",
    "critical",
    "depth_scale",
    "expected_dead",
    "moments",
    "predict_gradients",
]

__getattr__, __dir__ = offers(
    __name__,
    {
        "InputStatistics": ("dnnlab.theory.setting", "InputStatistics"),
        "Setting": ("dnnlab.theory.setting", "Setting"),
        "born_dead_bounds": ("dnnlab.theory.death", "born_dead_bounds"),
        "critical": ("dnnlab.networks.meanfield", "critical"),
        "depth_scale": ("dnnlab.networks.meanfield", "depth_scale"),
        "expected_dead": ("dnnlab.theory.death", "expected_dead"),
        "moments": ("dnnlab.networks.meanfield", "moments"),
        "predict_gradients": ("dnnlab.theory.gradients", "predict"),
    },
)
