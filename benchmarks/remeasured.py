"""Five verdicts of the ledger measured again in plain PyTorch, without dnnlab: ``python -m benchmarks.remeasured``.

Each is a function of some thirty lines, with data from scikit-learn, its own seeds and scipy's intervals. The verdict
is printed beside that of the published ledger; the exit code is the number of those that differ.
"""

import csv
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits
from torch import nn

LEDGER = Path(__file__).parents[1] / "results" / "reference" / "cpu-quick" / "ledger.csv"
SEEDS = range(500, 510)
"""Ten seeds of these scripts' own."""


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Standardised digits ``[1797, 64]`` and their labels ``[1797]``."""
    data = load_digits()
    x = torch.tensor(data.data, dtype=torch.float32)
    return (x - x.mean()) / x.std(), torch.tensor(data.target)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean by Student's t."""
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return float(low), float(high)


def rates(act: Callable[[], nn.Module], spread: float | None, init: str) -> tuple[float, float]:
    """The interval of the rate of ‖δ‖ through twenty layers of width 64 at initialisation: the slope of a line through
    its logarithm, over the ten seeds."""
    x, y = digits()
    slopes = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        layers = [nn.Linear(64, 64) for _ in range(20)]
        for layer in layers:
            if spread is not None:
                nn.init.normal_(layer.weight, std=spread)
            elif init == "he":
                nn.init.kaiming_normal_(layer.weight)
            if spread is not None or init == "he":
                nn.init.zeros_(layer.bias)
        head, deltas, index = nn.Linear(64, 10), [], torch.randperm(len(x))[:128]
        h = x[index]
        for layer in layers:
            h = layer(h)
            h.retain_grad()
            deltas.append(h)
            h = act()(h)
        nn.functional.cross_entropy(head(h), y[index]).backward()
        logs = [float(delta.grad.double().norm().log()) for delta in deltas]
        slopes.append(-float(np.polyfit(range(20), logs, 1)[0]))
    low, high = interval(slopes)
    return math.exp(low), math.exp(high)


def vanishing() -> str:
    """Through twenty layers of sigmoid the gradient vanishes: a rate below one half under both initialisations."""
    highs = [rates(nn.Sigmoid, None, init)[1] for init in ("torch", "he")]
    return "holds" if max(highs) < 0.5 else "not so"


def explosion() -> str:
    """The rate is that of the weights, 2.5 = .3125 · √64, within a twentieth, without a nonlinearity and with ReLU."""
    inside = []
    for act in (nn.Identity, nn.ReLU):
        low, high = rates(act, 0.3125, "")
        inside.append(low >= 2.375 and high <= 2.625)
    return "holds" if all(inside) else "holds if …" if any(inside) else "not so"


def half_zero() -> str:
    """Half of the outputs of a ReLU network are zero, between .4 and .6, on digits and on Gaussian inputs."""
    x, _ = digits()
    inside = []
    for inputs in (x[:512], torch.randn(512, 64, generator=torch.Generator().manual_seed(0))):
        shares = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            h, zeros = inputs, []
            for _ in range(5):
                layer = nn.Linear(64, 64)
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
                h = torch.relu(layer(h))
                zeros.append(float((h == 0).double().mean()))
            shares.append(float(np.mean(zeros)))
        low, high = interval(shares)
        inside.append(low >= 0.4 and high <= 0.6)
    return "holds" if all(inside) else "not so"


def dead_units(model: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """``[layer, unit]``: whether a unit is zero on every input."""
    dead, h = [], x
    with torch.no_grad():
        for module in model[:-1]:
            h = module(h)
            if isinstance(module, nn.ReLU):
                dead.append((h == 0).all(0))
    return torch.stack(dead)


def units_die() -> str:
    """Under Adam with a rate of .04 more than .4 of the units of a ReLU network die: they are zero on every input after
    training, and were not before."""
    x, y = digits()
    shares, learned = [], 0
    for seed in SEEDS:
        torch.manual_seed(seed)
        layers = [module for _ in range(5) for module in (nn.Linear(64, 64), nn.ReLU())]
        model = nn.Sequential(*layers, nn.Linear(64, 10))
        born = dead_units(model, x)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.04)
        for _ in range(500):
            index = torch.randint(len(x), (128,))
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[index]), y[index]).backward()
            optimiser.step()
        dead = dead_units(model, x)
        if not dead.all(1).any():  # else the whole network is dead, which is another matter
            shares.append(float((dead & ~born).double().mean()))
            learned += 1
    if learned < 3:
        return "not decided"
    of_most = stats.binomtest(learned, len(SEEDS)).proportion_ci(0.95).low > 0.5 or learned == len(SEEDS)
    low, high = interval(shares)
    if not of_most:
        return "not decided"
    return "holds" if low > 0.4 else "refuted" if high < 0.4 else "not decided"


def born_dead() -> str:
    """More than .8 of the ReLU networks of nine layers of width 2 are constant from birth."""
    torch.manual_seed(500)
    nets, depth = 20_000, 9
    h = torch.tensor([-1.0, 1.0]).reshape(1, 2, 1).repeat(nets, 1, 1)
    dead = torch.zeros(nets, dtype=torch.bool)
    for layer in range(depth):
        fan_in = 1 if layer == 0 else 2
        weight = torch.randn(nets, fan_in, 2) * math.sqrt(2 / fan_in)
        h = torch.relu(h @ weight)
        largest = h.amax(dim=(1, 2), keepdim=True)
        dead |= largest[:, 0, 0] == 0
        h = h / torch.where(largest == 0, 1.0, largest)
    low = stats.binomtest(int(dead.sum()), nets).proportion_ci(0.95).low
    return "holds" if low > 0.8 else "not so"


REMEASURED = {
    "13-vanishing": vanishing,
    "18-explosion-rate": explosion,
    "08-relu-half-zero-measured": half_zero,
    "10-units-die": units_die,
    "18-born-dead": born_dead,
}


def main() -> int:
    """Print a line a verdict; gives the number of those that differ."""
    torch.set_num_threads(1)
    with LEDGER.open(encoding="utf-8") as file:
        published = {row["recipe"]: row["verdict"] for row in csv.DictReader(file)}
    other = 0
    for name, measure in REMEASURED.items():
        verdict = measure()
        other += verdict != published[name]
        sys.stdout.write(f"{name}: {verdict}, in the ledger {published[name]}\n")
    return other


if __name__ == "__main__":
    sys.exit(main())
