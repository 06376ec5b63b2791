"""A network is trained, and a linear classifier reads every layer before and after the training."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.compare_arch.fitting import initialised, prepare, spend
from dnnlab.compare_arch.trained_cell import TrainedCell
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.instruments.traced import is_activation
from dnnlab.runner.journal import Rows
from dnnlab.statistics.answers import packed
from dnnlab.training.parts import part_of, spread

EXAMPLES = 1000
"""Most training and test examples that a probe sees."""
FEATURES = 2048
"""Most numbers that a probe reads; larger maps are averaged to fewer positions."""


def measure(cells: Sequence[TrainedCell], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per layer."""
    (cell,) = cells
    data = part_of(load(cell.data), cell.train_size, spec.settled.test_size, spec.seed, cell.seed).to(device)
    training = prepare(initialised(cell, data, spec.seed), data, cell, spec.seed)
    before = probed(training.evaluated, data)
    spend(training, cell, lambda step, seconds, loss: None, 1, progress)
    after = probed(training.evaluated, data)
    return {
        "cell": [0] * len(after),
        "layer": list(range(len(after))),
        "name": [layer.name for layer in after],
        "features": [layer.features for layer in after],
        "untrained": [layer.accuracy for layer in before],
        "untrained_right": [layer.right for layer in before],
        "trained": [layer.accuracy for layer in after],
        "trained_right": [layer.right for layer in after],
    }


@dataclass(frozen=True)
class Layer:
    """What a linear classifier makes of one layer."""

    name: str
    features: int
    accuracy: float
    """Of the test examples; nan where the layer's outputs are not finite."""
    right: str
    """Which of them it gets right (`dnnlab.statistics.answers.packed`); empty where its accuracy is nan."""


def probed(model: nn.Module, data: Dataset) -> list[Layer]:
    """What a linear classifier makes of each layer: first of the inputs, then of every activation."""
    train, test = spread(data.train, EXAMPLES), spread(data.test, EXAMPLES)
    train_features, test_features = features(model, data, train), features(model, data, test)
    y, z = data.y[train].cpu().numpy(), data.y[test].cpu().numpy()
    return [Layer(name, x.shape[1], *_judged(x, y, test_features[name], z)) for name, x in train_features.items()]


def features(model: nn.Module, data: Dataset, index: Tensor) -> dict[str, np.ndarray]:
    """``[example, feature]`` of the inputs and of every activation, in the order of their first use."""
    parts: dict[str, list[np.ndarray]] = {"inputs": []}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, out: Tensor) -> None:
            parts.setdefault(name, []).append(_flat(out))

        return hook

    hooked = [(name, module) for name, module in model.named_modules() if is_activation(module)]
    handles = [module.register_forward_hook(keep(name)) for name, module in hooked]
    try:
        model.eval()
        with torch.no_grad():
            for part in index.split(256):
                x = data.inputs(part)
                parts["inputs"].append(_flat(x))
                model(x)
    finally:
        for handle in handles:
            handle.remove()
    # A module that is called twice in one pass gives twice as many parts: it is more than one layer.
    count = len(parts["inputs"])
    return {name: np.concatenate(part) for name, part in parts.items() if len(part) == count}


def _flat(out: Tensor) -> np.ndarray:
    if out.ndim == 4 and out[0].numel() > FEATURES:
        out = F.adaptive_avg_pool2d(out, max(1, math.isqrt(FEATURES // out.shape[1])))
    flat: np.ndarray = out.flatten(1).float().cpu().numpy()
    return flat


def _judged(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> tuple[float, str]:
    """Test accuracy of a regularised logistic regression, and which examples it gets right; nan and empty where the
    layer's outputs are not finite."""
    if not (np.isfinite(x).all() and np.isfinite(x_test).all()):
        return math.nan, ""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=100))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its accuracy does not change any more long before
        right = probe.fit(x, y).predict(x_test) == y_test
    return float(right.mean()), packed(right)
