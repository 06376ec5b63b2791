"""What ``dnnlab gradient-flow --act sigmoid --depth 20 --seeds 5`` measures, in a loop over networks.

python -m benchmarks.plain.gradient_flow [FOLDER]

The norm of the gradient at each layer's pre-activation, and the factor by which it changes from a layer to the one
before it, with its interval over seeds. With FOLDER, a table of all norms and a figure of them go there.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

WIDTH, DEPTH, BATCH, SEEDS = 64, 20, 128, 5


def norms(x: torch.Tensor, y: torch.Tensor, seed: int) -> list[float]:
    """The norm of the gradient at the pre-activation of each hidden layer."""
    torch.manual_seed(seed)
    layers = [nn.Linear(64, WIDTH), *(nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH - 1))]
    head = nn.Linear(WIDTH, 10)
    batch = torch.randperm(len(x))[:BATCH]
    outputs, out = [], x[batch]
    for layer in layers:
        out = layer(out)
        out.retain_grad()
        outputs.append(out)
        out = torch.sigmoid(out)
    F.cross_entropy(head(out), y[batch], reduction="sum").backward()
    return [float(output.grad.norm()) for output in outputs]


def main() -> None:
    x, y = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0).clamp(min=1e-6)).float()
    found = np.array([norms(x, y, seed) for seed in range(SEEDS)])
    rates = np.polyfit(np.arange(DEPTH), np.log(found).T, 1)[0]
    half = 2.776 * rates.std(ddof=1) / SEEDS**0.5  # Student's t for five seeds
    low, middle, high = np.exp(-rates.mean() + np.array([-half, 0, half]))
    print(f"sigmoid, depth {DEPTH}: rate {middle:.4f} [{low:.4f}, {high:.4f}]")
    if len(sys.argv) > 1:
        keep(found, Path(sys.argv[1]))


def keep(found: np.ndarray, folder: Path) -> None:
    from matplotlib import pyplot as plt

    folder.mkdir(exist_ok=True)
    with (folder / "norms.csv").open("w", newline="") as file:
        csv.writer(file).writerows(found)
    figure, axes = plt.subplots(layout="constrained")
    axes.semilogy(range(1, DEPTH + 1), (found / found[:, -1:]).T)
    axes.set(xlabel="layer", ylabel="gradient relative to the last layer")
    figure.savefig(folder / "norms.svg")
    figure.savefig(folder / "norms.png", dpi=150)


if __name__ == "__main__":
    main()
