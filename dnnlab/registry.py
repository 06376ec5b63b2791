"""The experiments, one line each."""

from dnnlab.errors import unknown
from dnnlab.runner.experiment import Experiment

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment("gradient-flow", "dnnlab.gradient_flow"),
        Experiment("dead-relu", "dnnlab.dead_relu"),
        Experiment("compare-arch", "dnnlab.compare_arch"),
        Experiment("compress", "dnnlab.compress"),
        Experiment("nas", "dnnlab.nas"),
        Experiment("check", "dnnlab.check"),
    )
}


def find(name: str) -> Experiment:
    """The experiment called ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
