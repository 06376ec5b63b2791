"""Trains, scores and tests architectures: the same code and data for every strategy of one seed."""

import math
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.code import digests
from dnnlab.data import load
from dnnlab.errors import DnnlabError, UsageError
from dnnlab.instruments import cost
from dnnlab.nas import latency, scores
from dnnlab.nas.codes import write_code
from dnnlab.nas.ledger import Cost, parse
from dnnlab.nas.problem import Inherit, Request, Score, Supernet
from dnnlab.nas.shared import SECONDS, SharedWeights
from dnnlab.nas.spec import Spec
from dnnlab.networks import spaces
from dnnlab.networks.spaces.space import Code
from dnnlab.networks.spaces.stack import SameStack
from dnnlab.runner.checkpoints import State, trained
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training.batches import batch_order
from dnnlab.training.checks import check_batch, check_numbers
from dnnlab.training.evaluation import accuracy, check, right, told_of_one
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import inference, train_together
from dnnlab.training.parts import part_of

SEARCH = "search"
"""The tag of the weights and batches of the search itself; retrainings have the tags ``fresh 0``, ``fresh 1``, …"""
MOST = 64
"""The most networks in a stack."""
SMALL_IMAGE, ENOUGH_ALIKE = 16 * 16, 4
"""Convolutional networks of one structure are quicker together on images of up to so many pixels, and if they are so
many: measured by ``python -m benchmarks.nas``, and fixed so that the same command gives the same bits."""


Key = tuple[str, str, str]
"""The identity of a training: of its architecture, its epochs and its tag."""


@dataclass(frozen=True)
class Training:
    """One training: an architecture, for so many epochs, from the weights and batches that ``tag`` names."""

    code: Code
    epochs: float
    tag: str = SEARCH


@dataclass(frozen=True)
class Network:
    """The size of an architecture, which is known before it is trained."""

    parameters: int
    macs: int
    """Multiply–accumulates of the forward pass of one example."""
    training_macs: int
    bytes: int
    """Bytes of parameters and buffers in float32."""
    problem: str = ""
    """Why it cannot be built, in which case the numbers are 0; else empty."""


class Evaluator:
    """Evaluates architectures on one data set under one seed."""

    def __init__(self, spec: Spec, data: str, seed: int, device: str, place: Place) -> None:
        self.spec, self.seed, self.device, self.place = spec, seed, device, place
        self.space = spaces.find(spec.space)
        self.data = part_of(load(data), spec.train_size, 0, spec.seed).to(device)
        self.classes = len(self.data.classes)
        check_batch(self.data, spec.batch_size)
        self.hyper = Hyperparameters(spec.optimizer, spec.lr, spec.weight_decay, "cosine", augment=spec.augment)
        self._networks: dict[str, Network] = {}
        self._models: dict[Key, nn.Module] = {}
        self._buckets: dict[Key, Sequence[Training]] = {}
        self.shared = SharedWeights(self)
        self._latencies: dict[str, float] = {}
        self._check()

    def _check(self) -> None:
        """Check that the networks of the space take the data, before anything is measured."""
        if self.spec.space in spaces.SPACES:
            check_numbers(self.data, what=f"--space {self.spec.space}")
        code = (0,) * len(self.space.sizes)
        if problem := self.network(code).problem:
            raise UsageError(f"--space {self.spec.space} makes no network for {self.data.name}: {problem}.")
        check(self.fresh(Training(code, 0.0)).to(self.device), self.data)

    def check_budget(self) -> None:
        """Raise a `UsageError` where a budget of MACs does not pay for one training of the network of all first
        choices, retraining aside."""
        allowed = parse(self.spec.budget)
        least = self.cost(Training((0,) * len(self.space.sizes), float(self.spec.epochs))).macs
        needed = least * (self.spec.finalists * self.spec.retrain + 1)
        if allowed.axis == "macs" and allowed.amount < needed:
            raise UsageError(
                f"--budget {self.spec.budget} is too little to search with; one training and the retraining of "
                f"{self.spec.finalists} finalists take some macs={needed:.2g}."
            )

    def network(self, code: Code) -> Network:
        """The parameters, MACs and bytes of an architecture."""
        identity = self.space.identity(code)
        if identity not in self._networks:
            try:
                counted = cost.count(self._built(code), self.data.shape, self.data.dtype)
                size = 4 * (counted.parameters + counted.buffers)
                self._networks[identity] = Network(counted.parameters, counted.macs, counted.training_macs, size)
            except DnnlabError as problem:
                self._networks[identity] = Network(0, 0, 0, 0, str(problem).removesuffix("."))
            except Exception as problem:  # noqa: BLE001 - a user's space may fail on some architectures, and that counts
                self._networks[identity] = Network(0, 0, 0, 0, f"{type(problem).__name__}: {problem}")
        return self._networks[identity]

    def _built(self, code: Code) -> nn.Module:
        return self.space.build(self.space.choices(code), self.data.shape, self.classes)

    def fresh(self, training: Training) -> nn.Module:
        """The network before training, on the CPU; weights depend on seed, architecture and tag alone."""
        purpose = f"weights {self.space.identity(training.code)} {training.tag}"
        torch.manual_seed(torch_seed(self.spec.seed, self.seed, purpose))
        return self._built(training.code)

    def cost(self, request: Request | Training) -> Cost:
        """The epochs and MACs of a request; its seconds are not known before."""
        batches = len(self.data.train) // self.spec.batch_size
        examples = batches * self.spec.batch_size
        match request:
            case Supernet(kind, epochs):
                return Cost(epochs, epochs * examples * self.shared.macs_an_example(mixed=kind == "darts"))
            case Score(code):
                seen = min(scores.BATCH, len(self.data.train))
                return Cost(seen / len(self.data.train), seen * self.network(code).training_macs)
            case Inherit(code):
                seen = len(self.data.validation)
                # A forward pass costs a third of a training step.
                return Cost(seen / len(self.data.train) / 3, seen * self.network(code).macs)
        return Cost(request.epochs, request.epochs * examples * self.network(request.code).training_macs)

    def values(self, code: Code, validation: float) -> tuple[float, ...]:
        """The objectives of a trained architecture, all to be maximised."""
        network = self.network(code)
        known = {"accuracy": validation, "parameters": -network.parameters, "macs": -network.macs}
        known |= {"bytes": -network.bytes, "latency": -self.latency(code) if self._timed else math.nan}
        return tuple(float(known[name]) for name in self.spec.objectives)

    @property
    def _timed(self) -> bool:
        return "latency" in self.spec.objectives

    def latency(self, code: Code) -> float:
        """Milliseconds of one example on this device, measured once per architecture; nan where no objective needs
        it."""
        identity = self.space.identity(code)
        if self._timed and identity not in self._latencies:
            model = self.fresh(Training(code, 0.0)).to(self.device)
            self._latencies[identity] = latency.milliseconds(model, self.data)
        return self._latencies.get(identity, math.nan)

    def remember_latency(self, code: Code, value: float) -> None:
        """Take over the latency that an interrupted session measured."""
        if not math.isnan(value):
            self._latencies[self.space.identity(code)] = value

    def buckets(self, trainings: Sequence[Training]) -> list[list[Training]]:
        """``trainings`` in groups that are trained together. The groups depend on the trainings and their order
        alone."""
        groups: dict[Hashable, list[Training]] = {}
        for training in trainings:
            key: Any = self.space.identity(training.code)
            if self.space.bucket is not None and self.space.stack is not None:
                key = str(self.space.bucket(self.space.choices(training.code)))
            groups.setdefault((key, training.epochs, training.tag == SEARCH), []).append(training)
        parts = [group[i : i + MOST] for group in groups.values() for i in range(0, len(group), MOST)]
        for part in parts:
            self._buckets |= dict.fromkeys(map(self.key, part), part)
        return parts

    def train(self, bucket: Sequence[Training]) -> list[dict[str, Any]]:
        """Train a group; for each training the columns `columns.MEASURED`. A network that cannot be built has
        failed."""
        started = time.perf_counter()
        models, least = self._trained(bucket)
        validation = [self._accuracy(m, self.data.validation) if m is not None else math.nan for m in models]
        seconds = max(time.perf_counter() - started, least) / len(bucket)
        return [
            self._described(training, value, seconds, model)
            for training, value, model in zip(bucket, validation, models, strict=True)
        ]

    def _described(
        self, training: Training, validation: float, seconds: float, model: nn.Module | None
    ) -> dict[str, Any]:
        network, spent = self.network(training.code), self.cost(training)
        problem = network.problem
        if model is not None and not all(bool(p.isfinite().all()) for p in model.parameters()):
            problem = "diverged"
        return {
            "code": write_code(training.code),
            "validation": validation,
            "parameters": float(network.parameters),
            "net_macs": float(network.macs),
            "bytes": float(network.bytes),
            "latency": self.latency(training.code) if model is not None else math.nan,
            "epochs": spent.epochs,
            "macs": spent.macs,
            "seconds": seconds,
            "problem": problem,
        }

    def _trained(self, bucket: Sequence[Training]) -> tuple[list[nn.Module | None], float]:
        """The networks after training, and the seconds that it took, which a checkpoint remembers. Those of a
        retraining are kept, because the best of them is tested."""
        seconds = 0.0
        good = [t for t in bucket if not self.network(t.code).problem]
        models = [self.fresh(t) for t in good]
        if good and good[0].tag == SEARCH:
            self._train(good, models)
        elif good:
            state = trained(self.place, self.identity(good), lambda: self._trained_state(good, models))
            seconds = float(state[SECONDS])
            for i, (training, model) in enumerate(zip(good, models, strict=True)):
                model.load_state_dict({k.partition(".")[2]: v for k, v in state.items() if k.startswith(f"{i}.")})
                self._models[self.key(training)] = model.to(self.device)
        by_training = dict(zip(good, models, strict=True))
        return [by_training.get(t) for t in bucket], seconds

    def _trained_state(self, bucket: Sequence[Training], models: Sequence[nn.Module]) -> State:
        started = time.perf_counter()
        self._train(bucket, models)
        state = {
            f"{i}.{name}": value.cpu() for i, model in enumerate(models) for name, value in model.state_dict().items()
        }  # waits for the device
        return state | {SECONDS: torch.tensor(time.perf_counter() - started, dtype=torch.float64)}

    def identity(self, bucket: Sequence[Any]) -> dict[str, Any]:
        """All that decides the weights of the networks that are trained together."""
        spec = self.spec
        return {
            "experiment": "nas",
            "code": digests.of(("dnnlab.nas.search.measure", "dnnlab.nas.proxies.measure")).identity,
            "space": [spec.space, spaces.digest(spec.space)],
            "data": [self.data.digest, spec.train_size],
            "recipe": [spec.batch_size, spec.optimizer, spec.lr, spec.weight_decay, spec.augment],
            "seeds": [spec.seed, self.seed],
            "device": self.device,
            "what": [repr(each) for each in bucket],
        }

    def _train(self, bucket: Sequence[Training], models: Sequence[nn.Module]) -> None:
        steps = max(1, round(bucket[0].epochs * (len(self.data.train) // self.spec.batch_size)))
        orders = [self._batches(t.tag) for t in bucket]
        noises = [stream(self.spec.seed, self.seed, f"augmentation {t.tag}") for t in bucket]
        train_together(
            models,
            self._stacked(bucket),
            self.data,
            orders,
            self.hyper,
            noises,
            steps,
            repeats=self.spec.space in spaces.SPACES,
        )

    def _batches(self, tag: str) -> Any:
        rng = stream(self.spec.seed, self.seed, f"batches {tag}")
        return batch_order(len(self.data.train), self.spec.batch_size, rng)

    def _stacked(self, bucket: Sequence[Training]) -> "Callable[[Sequence[nn.Module]], Any] | None":
        if self.space.stack is not None:
            return self.space.stack
        small = len(self.data.shape) == 3 and math.prod(self.data.shape[1:]) <= SMALL_IMAGE
        return SameStack if small and len(bucket) >= ENOUGH_ALIKE else None

    def trained_model(self, training: Training) -> nn.Module:
        """A retrained network. Its weights come from the checkpoint where an earlier session trained it."""
        key = self.key(training)
        if key not in self._models:
            self._trained(self._buckets[key])
        return self._models[key]

    def key(self, training: Training) -> Key:
        """The key of a training. Two searches share it where they train the same network, though their codes may differ
        in layers that are not there."""
        return self.space.identity(training.code), f"{training.epochs:g}", training.tag

    def test(self, training: Training) -> dict[str, Any]:
        """The columns of the test accuracy of a retrained network."""
        answered = right(inference(self.trained_model(training)), self.data, self.data.test)
        columns = told_of_one(answered, self.data, self.data.test)
        return {"test": columns.pop("accuracy"), **columns}

    def _accuracy(self, model: nn.Module, index: Tensor) -> float:
        return float(accuracy(inference(model), self.data, index))

    def tested(self, training: Training, fact: dict[str, Any]) -> dict[str, Any]:
        """The columns of a retrained network with its test accuracy, beside those measured before; it costs nothing
        more."""
        return fact | self.test(training) | {"epochs": 0.0, "macs": 0.0, "seconds": 0.0}

    def look_up(self, requests: Sequence[Score | Supernet | Inherit]) -> list[dict[str, Any]]:
        """The columns `columns.MEASURED` of requests that are cheaper than trainings."""
        facts = []
        for request in requests:
            started, least = time.perf_counter(), 0.0
            fact: dict[str, Any] = {"code": ""}
            match request:
                case Supernet():
                    self.shared.trained(request)
                    least = self.shared.seconds[request]
                    if request.kind == "darts":
                        code = self.shared.discretised(request)
                        fact = {"code": write_code(code), "skips": self.space.skips(self.space.choices(code))}
                case Score(code, proxy):
                    fact = {"code": write_code(code), "score": self.score(code, proxy)}
                case Inherit(code):
                    fact = {"code": write_code(code), "score": self.shared.inherited(request)}
            spent = self.cost(request)
            seconds = max(time.perf_counter() - started, least)
            fact |= {"epochs": spent.epochs, "macs": spent.macs, "seconds": seconds}
            facts.append(fact)
        return facts

    def score(self, code: Code, proxy: str) -> float:
        """The score by a zero-cost proxy on one batch, which is the same for every architecture of the seed."""
        if self.network(code).problem:
            return math.nan
        index = torch.from_numpy(next(self._proxy_batch())).to(self.data.train.device)
        x = self.data.inputs(self.data.train[index])
        model = self.fresh(Training(code, 0.0)).to(self.device)
        return scores.score(proxy, model, x, self.data.y[self.data.train[index]])

    def _proxy_batch(self) -> Any:
        size = min(scores.BATCH, len(self.data.train))
        return batch_order(len(self.data.train), size, stream(self.spec.seed, self.seed, "proxies"))
