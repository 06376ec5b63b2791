"""The questions of compare-arch."""

from dnnlab.runner.experiment import Question

_TRAINS_FRESH = frozenset({"cost_only", "measure_costs", "weights", "freeze", "tune"})
_WHY = "which trains fresh networks"

EQUAL_BUDGET = Question("dnnlab.compare_arch.equal_budget", autocasts=True)
BLOCKS = Question(
    "dnnlab.compare_arch.blocks",
    "--block",
    takes=frozenset({"block", "device"}),
    because="whose blocks and sizes are fixed",
)
SHALLOW_DEEP = Question(
    "dnnlab.compare_arch.shallow_deep",
    "--preset shallow-deep",
    takes=frozenset({"preset", "seeds", "seed", "budget", "lr", "optimizer", "device"}),
    because="which fixes it",
)
SEPARABILITY = Question(
    "dnnlab.compare_arch.separability", "--preset separability", leaves=_TRAINS_FRESH, because=_WHY, autocasts=True
)
TRANSFER = Question(
    "dnnlab.compare_arch.transfer", "--preset transfer", leaves=_TRAINS_FRESH, because=_WHY, autocasts=True
)
QUESTIONS = (EQUAL_BUDGET, BLOCKS, SHALLOW_DEEP, SEPARABILITY, TRANSFER)
