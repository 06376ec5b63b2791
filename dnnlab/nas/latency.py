"""How long a network takes on this machine."""

import statistics
import time

import torch
from torch import nn

from dnnlab.data.dataset import Dataset

ROUNDS, WARM_UP = 30, 5


@torch.no_grad()
def milliseconds(model: nn.Module, data: Dataset) -> float:
    """Median time of the forward pass of one example, in evaluation mode."""
    model.eval()
    x = data.inputs(data.train[:1])
    times = []
    for _ in range(WARM_UP + ROUNDS):
        started = time.perf_counter()
        model(x)
        if x.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times[WARM_UP:])
