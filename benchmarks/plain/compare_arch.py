"""What ``dnnlab compare-arch --arch resnet20,plain20 --data cifar10 --budget steps=100 --seeds 2`` trains, in a loop.

python -m benchmarks.plain.compare_arch [STEPS]

A DataLoader gives batches of 128 images, which are standardised one by one, as with torchvision. SGD with momentum
under a cosine schedule; one evaluation on the test split at the end. Networks are not timed, and there is no table.
"""

import itertools
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

BATCH, SEEDS = 128, 2


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, skip):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.stride, self.more, self.skip = stride, outputs - inputs, skip

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.skip:
            x = x[:, :, :: self.stride, :: self.stride]
            h = h + F.pad(x, (0, 0, 0, 0, 0, self.more))
        return F.relu(h)


def network(skip):
    """ResNet-20 for CIFAR-10 (He 2016), or the same without shortcuts."""
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for outputs in (16, 32, 64):
        for block in range(3):
            layers.append(Block(inputs, outputs, 2 if block == 0 and outputs > 16 else 1, skip))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Images(TensorDataset):
    """Images one by one, standardised."""

    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
    std = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return (x.float() / 255 - self.mean) / self.std, y


def read(*names):
    folder = os.path.join(os.environ["DNNLAB_DATA"], "cifar-10-batches-bin")
    records = np.concatenate([np.fromfile(os.path.join(folder, n), np.uint8).reshape(-1, 3073) for n in names])
    x = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return Images(x, torch.from_numpy(records[:, 0].astype(np.int64)))


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    train, test = read(*(f"data_batch_{i}.bin" for i in range(1, 6))), read("test_batch.bin")
    for skip, seed in itertools.product((True, False), range(SEEDS)):
        torch.manual_seed(seed)
        model = network(skip)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        loader = DataLoader(train, BATCH, shuffle=True, drop_last=True)
        for x, y in itertools.islice(itertools.chain.from_iterable(itertools.repeat(loader)), steps):
            optimiser.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in DataLoader(test, 256))
        print(f"{'resnet20' if skip else 'plain20'}, seed {seed}: {right / len(test):.3f}")
