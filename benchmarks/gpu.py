"""What one GPU gives: stacks and networks beside plain PyTorch and beside the floor that the hardware sets.

python -m benchmarks.gpu --compile          # all ratios, in one run of under three minutes
python -m benchmarks.gpu --accuracy 10      # CIFAR-10 by the documented recipe, ten seeds, seconds and accuracy
python -m benchmarks.gpu --profile          # where the time of a step goes, by kernel

``--device cpu --small`` rehearses it all where there is no GPU. Everything is timed between two waits for the device,
after a warm-up; ways to do the same take turns.
"""

import argparse
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Examples

from dnnlab import create_model
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import StackedMLP
from dnnlab.reproduce import shipped
from dnnlab.runner import recipe
from dnnlab.runner.device import describe, settled
from dnnlab.statistics.intervals import mean_share
from dnnlab.training import budget, networks
from dnnlab.training.augmentation import augmentation
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import accuracy as evaluated
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.layout import channels_last
from dnnlab.training.networks import NetworkTraining
from dnnlab.training.recorded import CALLED_FIRST, Recorded
from dnnlab.training.stacked import StackedTraining

CIFAR = Hyperparameters("momentum", 0.1, 5e-4, "onecycle", 0.0, "crop+flip", 0.0)
"""As in experiments: ResNet-20 with batches of 128."""
_FAST: dict[str, Any] = {"ema": 0.0} | dict(recipe.read(shipped.folder() / "3-architectures/cifar10-fast.toml").options)
"""The documented recipe."""
FAST, FAST_BATCH = _FAST["arch"], _FAST["batch_size"]
FAST_EPOCHS = int(budget.parse(_FAST["budget"]).amount)
FAST_HYPERPARAMETERS = Hyperparameters(
    **{field.name: _FAST[field.name] for field in fields(Hyperparameters) if field.name in _FAST}
)


@dataclass(frozen=True)
class Bench:
    """The device, what it reaches, and how much is asked of it."""

    device: str
    small: bool
    data: Dataset
    """CIFAR-10 on the device, or digits in a rehearsal."""
    flat: Dataset
    """The digits, for stacks."""

    def batch(self, size: int) -> int:
        return 16 if self.small else size

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, call: Callable[[], object], repeats: int, rounds: int = 3) -> float:
        """Of one call: the median of ``rounds`` timings of ``repeats`` calls each."""
        repeats, warm_up = (2, 1) if self.small else (repeats, CALLED_FIRST + 2)
        for _ in range(warm_up):
            call()
        taken = []
        for _ in range(rounds):
            self.wait()
            started = time.perf_counter()
            for _ in range(repeats):
                call()
            self.wait()
            taken.append((time.perf_counter() - started) / repeats)
        return float(np.median(taken))


@dataclass(frozen=True)
class Ceilings:
    """Bytes and floating-point operations a second: of a copy, of products in float32 and in bfloat16."""

    bytes: float
    float32: float
    bfloat16: float


def ceilings(bench: Bench) -> Ceilings:
    side = 256 if bench.small else 8192
    source = torch.randn(side, side, device=bench.device)
    target, half = torch.empty_like(source), source.bfloat16()
    copied = bench.seconds(lambda: target.copy_(source), 50)
    full = bench.seconds(lambda: torch.mm(source, source, out=target), 5)
    reduced = bench.seconds(lambda: half @ half, 20)
    found = Ceilings(2 * source.numel() * 4 / copied, 2 * side**3 / full, 2 * side**3 / reduced)
    print(
        f"ceilings: copy {found.bytes / 1e12:.2f} TB/s, products in float32 {found.float32 / 1e12:.1f} TFLOP/s, "
        f"in bfloat16 {found.bfloat16 / 1e12:.0f} TFLOP/s"
    )
    return found


# Stacks


DEPTH, STACK_BATCH = 20, 128


def stacked(bench: Bench, width: int, members: int) -> StackedTraining:
    """``members`` networks of `DEPTH` layers in training."""
    shape = MLPShape(bench.flat.features, 10, DEPTH, width, ("relu",) * DEPTH)
    rngs = [np.random.default_rng(i) for i in range(members)]
    stack = StackedMLP.draw(shape, ["he"] * members, rngs, device=bench.device)
    orders = [batch_order(len(bench.flat.train), STACK_BATCH, np.random.default_rng(i)) for i in range(members)]
    return StackedTraining(stack, bench.flat, [Hyperparameters("sgd", 0.01)] * members, orders)


def stacks(bench: Bench, most: Ceilings, width: int, steps: int, members: int = 64) -> None:
    """One training step of ``members`` networks of 20 layers at a batch of 128."""
    members = 2 if bench.small else members
    recorded, called = (stacked(bench, width, members) for _ in range(2))
    shape, depth, batch = recorded.stack.shape, DEPTH, STACK_BATCH
    called.recorded = Recorded(torch.device(bench.device), possible=False)
    ours = bench.seconds(recorded.step, steps)
    eager = bench.seconds(called.step, max(5, steps // 5))
    few = min(8, members)  # a loop over 64 takes 64 times as long as over one
    models = [MLP.of_member(called.stack, m).to(bench.device).train() for m in range(few)]
    optimisers = [torch.optim.SGD(model.parameters(), lr=0.01) for model in models]
    orders = [batch_order(len(bench.flat.train), batch, np.random.default_rng(i)) for i in range(few)]

    def loop() -> None:
        for model, optimiser, order in zip(models, optimisers, orders, strict=True):
            index = bench.flat.train[torch.from_numpy(next(order)).to(bench.device)]
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(model(bench.flat.inputs(index).flatten(1)), bench.flat.y[index]).backward()
            optimiser.step()

    plain = bench.seconds(loop, max(2, steps // 40)) / few * members
    macs = 3 * shape.macs() - bench.flat.features * width  # the inputs need no gradient
    operations = 2 * macs * batch * members / most.float32
    parameters = sum(p.numel() for p in recorded.stack.parameters.values())
    moved = 2 * 4 * parameters / most.bytes
    floor = max(operations, moved)
    print(
        f"stack of {members} networks of {depth} × {width}, batch {batch}: recorded {ours * 1e3:.3f} ms, called "
        f"{eager * 1e3:.3f} ms ({eager / ours:.1f}x), loop of modules {plain * 1e3:.1f} ms ({plain / ours:.0f}x; timed "
        f"over {few}); floor {floor * 1e3:.3f} ms (operations {operations * 1e3:.3f}, bytes {moved * 1e3:.3f}), "
        f"{ours / floor:.1f} times it"
    )


# Networks


def trained(
    bench: Bench, arch: str, hyper: Hyperparameters, batch: int, seed: int = 0, repeats: bool = True
) -> NetworkTraining:
    torch.manual_seed(seed)
    channels, size, _ = bench.data.shape
    model = create_model(arch, num_classes=len(bench.data.classes), in_chans=channels, input_size=size)
    order = batch_order(len(bench.data.train), batch, np.random.default_rng(seed))
    return NetworkTraining(model, bench.data, order, hyper, np.random.default_rng(seed + 1000), repeats=repeats)


def step_of(training: NetworkTraining) -> Callable[[], object]:
    return functools.partial(training.step, 0.0)


class OneByOne(Examples):
    """The training split example by example, changed and standardised, as is usual before a DataLoader."""

    def __init__(self, data: Dataset) -> None:
        self.data = data.to("cpu")
        self.change, self.rng = augmentation(CIFAR.augment), np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.data.train)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, torch.Tensor]:
        index = self.data.train[position]
        assert self.change is not None
        return self.data.standardised(self.change(self.data.x[index][None], self.rng)[0]), self.data.y[index]


def loader(bench: Bench, arch: str, batch: int) -> Callable[[], None]:
    """A step of the loop that tutorials show: a DataLoader with workers, float32; under the settings of all others."""
    model = trained(bench, arch, CIFAR, batch, repeats=False).model.to(memory_format=torch.contiguous_format).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    workers = {} if bench.small else {"num_workers": 8, "persistent_workers": True, "pin_memory": True}
    batches = DataLoader(OneByOne(bench.data), batch, shuffle=True, drop_last=True, **workers)  # type: ignore[arg-type]
    endless = itertools.chain.from_iterable(itertools.repeat(batches))

    def step() -> None:
        x, y = (each.to(bench.device, non_blocking=True) for each in next(endless))
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()

    return step


def bare(bench: Bench, arch: str, batch: int, mode: str) -> Callable[[], None]:
    """A step of the barest loop: one batch that lies on the device, nothing drawn, the network compiled."""
    model = trained(bench, arch, CIFAR, batch, repeats=False).model.train()
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, fused=bench.device == "cuda"
    )
    x = channels_last(bench.data.inputs(bench.data.train[:batch]))
    y = bench.data.y[bench.data.train[:batch]]
    compiled = model if bench.small else torch.compile(model, mode=mode)

    def step() -> None:
        with networks.mixed(x):
            loss = F.cross_entropy(compiled(x), y)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def network(bench: Bench, arch: str, batch: int, steps: int, compiles: bool) -> None:
    """A training step of ``arch`` in our loop, a DataLoader's, and the barest."""
    images = len(bench.data.train)
    started = time.perf_counter()
    recorded = trained(bench, arch, CIFAR, batch)
    for _ in range(1 if bench.small else CALLED_FIRST + 1):
        recorded.step(0.0)
    bench.wait()
    begin = time.perf_counter() - started
    ours = bench.seconds(lambda: recorded.step(0.0), steps)
    eager = bench.seconds(step_of(trained(bench, arch, CIFAR, batch, repeats=False)), steps // 4)
    told = f"{arch}, batch {batch}: recorded {ours * 1e3:.2f} ms ({images / batch * ours:.2f} s an epoch), called "
    print(f"{told}{eager * 1e3:.2f} ms ({eager / ours:.1f}x); recording takes {begin:.1f} s")
    if not compiles:
        return
    usual = bench.seconds(loader(bench, arch, batch), steps // 4)
    print(f"  DataLoader loop, 8 workers: {usual * 1e3:.2f} ms ({usual / ours:.1f}x)")
    mode = "reduce-overhead"
    started = time.perf_counter()
    step = bare(bench, arch, batch, mode)
    for _ in range(1 if bench.small else 4):
        step()
    bench.wait()
    compiling = time.perf_counter() - started
    barest = bench.seconds(step, steps)
    print(
        f"  bare loop, compiled ({mode}), one batch on the device: {barest * 1e3:.2f} ms; "
        f"ours reaches {barest / ours:.0%}"
    )
    an_epoch = images / batch
    for epochs in (1, 10, 100):
        whole = [first + epochs * an_epoch * each for first, each in ((0.0, eager), (begin, ours), (compiling, barest))]
        print(
            f"  {epochs} epochs: called {whole[0]:.1f} s, recorded {whole[1]:.1f} s, compiled and bare {whole[2]:.1f} s"
        )


def same_bits(bench: Bench, arch: str, batch: int, steps: int) -> None:
    """What it costs that the same command gives the same bits."""
    with settled(bench.device):
        exact = bench.seconds(step_of(trained(bench, arch, CIFAR, batch)), steps)
    torch.backends.cudnn.benchmark = True
    quick = bench.seconds(step_of(trained(bench, arch, CIFAR, batch)), steps)
    torch.backends.cudnn.benchmark = False
    print(
        f"{arch}, batch {batch}: same bits {exact * 1e3:.2f} ms, "
        f"quickest algorithms {quick * 1e3:.2f} ms ({exact / quick:.2f}x)"
    )


def accuracy(bench: Bench, seeds: range, epochs: int) -> None:
    """CIFAR-10 by the documented recipe; the clock runs from the network's making to its last step."""
    batch = bench.batch(FAST_BATCH)
    found, times = [], []
    for seed in seeds:
        bench.wait()
        started = time.perf_counter()
        training = trained(bench, FAST, FAST_HYPERPARAMETERS, batch, seed)
        steps = 3 if bench.small else epochs * (len(bench.data.train) // batch)
        for step in range(steps):
            loss = training.step(step / steps).loss
        loss.item()
        times.append(time.perf_counter() - started)
        found.append(float(evaluated(networks.inference(training.evaluated), bench.data, bench.data.test)))
        print(f"  seed {seed}: {found[-1]:.4f} after {times[-1]:.2f} s", flush=True)
    mean = mean_share(found) if len(found) > 1 else None
    interval = f" [{mean.low:.4f}, {mean.high:.4f}]" if mean else ""
    print(
        f"{FAST} on {bench.data.name}, {epochs} epochs: test accuracy {np.mean(found):.4f}{interval}, "
        f"{np.mean(times):.2f} s (longest {max(times):.2f}), n = {len(found)}"
    )


# Profiles


def profiles(bench: Bench) -> None:
    """The kernels of a step, by time."""
    for name, step in (
        ("stack of 64 networks of 20 × 64", stacked(bench, 64, 2 if bench.small else 64).step),
        ("resnet20, batch 128", step_of(trained(bench, "resnet20", CIFAR, bench.batch(128)))),
        ("resnet9, batch 512", step_of(trained(bench, FAST, CIFAR, bench.batch(512)))),
    ):
        for _ in range(1 if bench.small else CALLED_FIRST + 5):
            step()
        bench.wait()
        taken = 2 if bench.small else 10
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if bench.device == "cuda" else [])]
        with profile(activities=activities) as seen:
            for _ in range(taken):
                step()
            bench.wait()
        kernels = [e for e in seen.key_averages() if e.self_device_time_total > 0]
        busy = sum(e.self_device_time_total for e in kernels) / taken
        count = sum(e.count for e in kernels) / taken
        print(f"{name}: {count:.0f} kernels a step, {busy / 1e3:.3f} ms of them")
        for event in sorted(kernels, key=lambda e: -e.self_device_time_total)[:14]:
            share = event.self_device_time_total / taken
            print(f"  {share:9.1f} µs {event.count / taken:6.1f}x  {event.key[:110]}")


def _seeds(text: str) -> range:
    first, _, count = text.rpartition(":")
    return range(int(first or 0), int(first or 0) + int(count))


def run(arguments: Iterator[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="as little as possible of everything")
    parser.add_argument("--accuracy", metavar="[FIRST:]COUNT", help="train so many seeds by the documented recipe")
    parser.add_argument("--epochs", type=int, default=FAST_EPOCHS)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--compile", action="store_true", help="the compiled loop too; compiling takes a minute")
    asked = parser.parse_args(None if arguments is None else list(arguments))
    data = load("digits" if asked.small else "cifar10").to(asked.device)
    bench = Bench(asked.device, asked.small, data, load("digits").to(asked.device))
    print(f"{describe(asked.device)}, torch {torch.__version__}, {data.name}")
    with settled(asked.device):
        if asked.accuracy:
            accuracy(bench, _seeds(asked.accuracy), asked.epochs)
            return
        if asked.profile:
            profiles(bench)
            return
        most = ceilings(bench)
        stacks(bench, most, 64, 200)
        stacks(bench, most, 512, 30)
        network(bench, "resnet20", bench.batch(128), 200, asked.compile or asked.small)
        network(bench, FAST, bench.batch(512), 100, False)
    same_bits(bench, "resnet20", bench.batch(128), 100)
    same_bits(bench, FAST, bench.batch(512), 50)


if __name__ == "__main__":
    run()
