"""Instruments: what watches a network without changing it.

For any ``torch.nn.Module``: what it costs (`count`), what its layers do in one step (`Recorder`), which of its units
are dead (`module_census`), the memory of its training (`predict_memory`), its speed (`time_in_turns`). For the stacks
of `dnnlab.networks`: `measure_layers` and `stack_census`.
"""

from typing import TYPE_CHECKING

from dnnlab.lazy import offers

if TYPE_CHECKING:
    from dnnlab.instruments.census import take as stack_census
    from dnnlab.instruments.census import take_of_module as module_census
    from dnnlab.instruments.cost import count
    from dnnlab.instruments.hooks import Recorder
    from dnnlab.instruments.layerwise import measure as measure_layers
    from dnnlab.instruments.memory import predict as predict_memory
    from dnnlab.instruments.speed import in_turns as time_in_turns

__all__ = [
    "Recorder",
    "count",
    "measure_layers",
    "module_census",
    "predict_memory",
    "stack_census",
    "time_in_turns",
]

__getattr__, __dir__ = offers(
    __name__,
    {
        "Recorder": ("dnnlab.instruments.hooks", "Recorder"),
        "count": ("dnnlab.instruments.cost", "count"),
        "measure_layers": ("dnnlab.instruments.layerwise", "measure"),
        "module_census": ("dnnlab.instruments.census", "take_of_module"),
        "predict_memory": ("dnnlab.instruments.memory", "predict"),
        "stack_census": ("dnnlab.instruments.census", "take"),
        "time_in_turns": ("dnnlab.instruments.speed", "in_turns"),
    },
)
