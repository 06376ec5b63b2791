"""What a run would do, without doing it."""

from dnnlab.runner import plan as planning
from dnnlab.runner import store
from dnnlab.runner.device import choose
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.how import HowToRun
from dnnlab.runner.options import chosen


def describe(experiment: Experiment, spec: Spec, how: HowToRun) -> str:
    """The plan and its cost, in a few lines.

    Raises:
        UsageError: the parts of the spec do not fit together, or data are missing.
    """
    device = choose(spec.device)
    plan = planning.make(experiment, spec, device.name)
    folder = store.path_of(how.out, experiment.name, how.name or store.slug(chosen(spec)), plan.key)
    macs = sum(cell.macs for cell in plan.cells)
    lines = [
        f"{len(plan.cells)} cells in {len(plan.stacks)} stacks on {device.name}",
        *(f"  {stack.cells[0]}: {len(stack.cells)} cells" for stack in plan.stacks),
        f"cost: {macs:.3g} multiply–accumulates" if macs == macs else "cost: not known for a model of one's own",
        f"folder: {folder}{' (there already)' if folder.exists() else ''}",
    ]
    return "\n".join(lines)
