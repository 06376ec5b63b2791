"""Training a small convolutional network on digits: our loop against a DataLoader's, side by side.

Where CIFAR-10 is, also the whole command against a script that trains the same networks.

python -m benchmarks.compare_arch [PAIRS]

Both loops standardise and take the same batches of 128; the loader's transform works example by example, as is usual.
"""

import itertools
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.timing import interleaved
from benchmarks.whole_commands import seconds
from dnnlab.data import data_root, load, source
from dnnlab.data.dataset import Dataset as Data
from dnnlab.runner.device import keep_freed_memory
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import NetworkTraining

STEPS = 50
WHOLE = "compare-arch --arch resnet20,plain20 --data cifar10 --budget steps=100 --seeds 2"
SCRIPT = [sys.executable, "-m", "benchmarks.plain.compare_arch", "100"]


class Examples(Dataset):
    """The training split, an example at a time."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data.train)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, torch.Tensor]:
        index = self.data.train[position]
        return self.data.standardised(self.data.x[index]), self.data.y[index]


def network(channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((channels, 16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def ours(data: Data) -> None:
    order = batch_order(len(data.train), 128, np.random.default_rng(0))
    hyper = Hyperparameters("momentum", 0.05, 1e-4, "cosine")
    training = NetworkTraining(network(data.shape[0]), data, order, hyper, np.random.default_rng(0))
    for step in range(STEPS):
        training.step(step / STEPS)


def theirs(data: Data) -> None:
    model = network(data.shape[0]).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(Examples(data), 128, shuffle=True, drop_last=True)
    for x, y in itertools.islice(itertools.chain.from_iterable(itertools.repeat(loader)), STEPS):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()


def whole(pairs: int) -> None:
    """The whole command and the script take turns; the first of each is not counted."""
    os.environ["DNNLAB_DATA"] = str(data_root())
    command = [sys.executable, "-m", "dnnlab", *WHOLE.split(), "--quiet"]
    taken = [[seconds([command]), seconds([SCRIPT])] for _ in range(1 + pairs)][1:]
    command_s, script_s = np.median(taken, axis=0)
    print(f"dnnlab {WHOLE}: {command_s:.0f} s, script {script_s:.0f} s, ratio {command_s / script_s:.2f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    keep_freed_memory()
    data = load("digits")
    loader, device = interleaved(lambda: theirs(data), lambda: ours(data))
    print(
        f"compare-arch, small CNN on {data.name}: DataLoader {STEPS * 128 / loader:.0f} images/s, "
        f"ours {STEPS * 128 / device:.0f}, ratio {loader / device:.1f}x"
    )
    if source("cifar10").available():
        whole(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
