"""What dnnlab says about a network, held against the oracle."""

import warnings
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field

import torch

from dnnlab.errors import UsageError
from dnnlab.instruments import Recorder, count, module_census
from tests.zoo import oracle, units
from tests.zoo.members import Built, build

RIGHT, WRONG, UNKNOWN, REFUSED, UNTOLD = "right", "wrong", "not known", "refused", "no oracle"
"""What dnnlab says is so, is not so, or it says that it does not know; it refuses; or the oracle does not know."""
CHECKS = ("layers", "delta", "macs", "units")
TOLERANCE = 1e-4
"""Of the norm of a gradient, relative. Both sides compute in float64; for the largest networks in float32, where ten
times as much is allowed."""
ROUNDING = 1e-14
"""Of the norm of a gradient, relative to the largest: so much is left of one that is zero."""


@dataclass
class Verdict:
    verdict: str
    why: str = ""


@dataclass
class Result:
    network: str
    input: str = ""
    parameters: int = 0
    layers: int = 0
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def line(self) -> dict:
        return asdict(self)


def loss(logits: torch.Tensor) -> torch.Tensor:
    return logits.sin().sum()


def inputs_of(built: Built, count: int) -> torch.Tensor:
    x = built.draw(count, *built.shape, generator=torch.Generator().manual_seed(1))
    return x.to(next(built.model.parameters()).dtype)


def check(name: str) -> Result:
    """All four checks of one network."""
    result = Result(name)
    built = build(name)
    result.input = "×".join(map(str, built.shape))
    result.parameters = sum(p.numel() for p in built.model.parameters())
    for of, kinds in ((_layers, ("layers", "delta")), (_macs, ("macs",)), (_units, ("units",))):
        with warnings.catch_warnings(action="ignore"):
            try:
                told = of(built, result)
            except UsageError as problem:
                told = [Verdict(REFUSED, str(problem))] * len(kinds)
        result.verdicts |= dict(zip(kinds, told, strict=True))
    return result


@torch.no_grad()
def restore(values: dict[torch.Tensor, torch.Tensor]) -> None:
    for tensor, before in values.items():
        tensor.copy_(before)


def _some(items) -> str:
    items = list(map(str, items))
    return "; ".join(items[:6]) + (f"; and {len(items) - 6} more" if len(items) > 6 else "")


def _layers(built: Built, result: Result) -> list[Verdict]:
    model, x = built.model, inputs_of(built, 2)
    exact = x.dtype == torch.float64
    model.train(exact)  # in float32, batch normalisation of two inputs makes chaos of rounding
    tolerance = TOLERANCE if exact else 10 * TOLERANCE
    buffers = {b: b.clone() for b in model.buffers()}
    torch.manual_seed(3)
    expected = oracle.layers(model, (x,), loss)
    restore(buffers)
    model.zero_grad()
    torch.manual_seed(3)
    with Recorder(model) as recorder:
        loss(oracle.logits(model(x))).backward()
    rows = recorder.rows()
    restore(buffers)
    model.zero_grad()
    result.layers = len(rows)
    names = {id(p): name for name, p in model.named_parameters()}
    names = {name: names[id(p)] for name, p in model.named_parameters(remove_duplicate=False)}
    ours, theirs = defaultdict(list), defaultdict(list)
    for row in rows:
        ours[frozenset(names[n] for n in row["matrices"])].append((row["place"], row["delta_norm"]))
    for layer in expected:
        theirs[layer.weights].append((layer.place, layer.delta))
    wrong, deltas = [], []
    rounding = ROUNDING * max((layer.delta for layer in expected if layer.delta == layer.delta), default=0.0)
    for weights in dict.fromkeys([*theirs, *ours]):
        told, so = ours.get(weights, []), theirs.get(weights, [])
        label = " + ".join(sorted(weights))
        if [place for place, _ in told] != [place for place, _ in so]:
            wrong.append(f"{label}: {_places(told)}, but is {_places(so)}")
        if len(told) == len(so):
            for (_, a), (_, b) in zip(told, so, strict=True):
                if not (a == b or abs(a - b) <= tolerance * abs(b) + rounding or (a != a and b != b)):
                    deltas.append(f"{label}: {a:.6g}, but is {b:.6g}")
        else:
            deltas.append(f"{label}: {len(told)} rows, but {len(so)} calls")
    return [Verdict(WRONG if each else RIGHT, _some(each)) for each in (wrong, deltas)]


def _places(each) -> str:
    return ", ".join(f"{n} × {place}" for place, n in Counter(place for place, _ in each).items()) or "none"


def _macs(built: Built, result: Result) -> list[Verdict]:
    model = built.model
    told = count(model, built.shape)
    so = oracle.macs(model, (inputs_of(built, 1),))
    wrong = [
        f"{what}: {a:,}, but is {b:,}"
        for what, a, b in (
            ("forward", told.macs, so.forward),
            ("training", told.training_macs, so.training),
            ("parameters", told.parameters, so.parameters),
        )
        if a != b
    ]
    if not wrong and told.uncounted:
        return [Verdict(UNKNOWN, f"may multiply and is not counted: {', '.join(told.uncounted)}")]
    return [Verdict(WRONG if wrong else RIGHT, _some(wrong))]


@torch.no_grad()
def kill(model: torch.nn.Module) -> None:
    """Some units of each layer get a bias so low that hardly any input makes them fire."""
    generator = torch.Generator().manual_seed(7)
    for name, p in model.named_parameters():
        if name.endswith("bias") and p.ndim == 1:
            p[torch.rand(len(p), generator=generator) < 0.3] -= 5.0


def _units(built: Built, result: Result) -> list[Verdict]:
    model, x = built.model, inputs_of(built, 2)
    sites = units.sites(model, (x,))
    kill(model)
    expected = units.look(model, (x,), sites)
    told = module_census(model, [x])
    wrong, unknown, untold = [], [], []
    if [(s.outputs, int(s.zeros)) for s in told] != [(z.outputs, z.zeros) for z in expected]:
        found = [f"{s.name} {s.act} {s.outputs}/{int(s.zeros)}" for s in told]
        so = [f"{z.what} {z.outputs}/{z.zeros}" for z in expected]
        both = Counter(f.split()[-1] for f in found), Counter(z.split()[-1] for z in so)
        extra = [f for f in found if f.split()[-1] not in both[1]]
        missing = [z for z in so if z.split()[-1] not in both[0]]
        return [Verdict(WRONG, f"{len(told)} sites, but are {len(expected)}: {_some(extra)} | {_some(missing)}")]
    checked = 0
    for site, look, place in zip(told, expected, sites, strict=True):
        if site.dead is None:
            unknown.append(f"{site.name} {site.act} (oracle: {place.why or place.axes} of {place.sizes})")
        elif look.dead is None:
            untold.append(f"{site.name} {site.act}: {len(site.dead)} of {place.sizes}, oracle: {place.why}")
        elif not torch.equal(site.dead, look.dead):
            wrong.append(
                f"{site.name} {site.act}: {int(site.dead.sum())} of {len(site.dead)} units of {place.sizes} dead, but "
                f"{int(look.dead.sum())} of {len(look.dead)}, dimensions {place.axes}"
            )
        else:
            checked += 1
    if wrong:
        return [Verdict(WRONG, _some(wrong))]
    if unknown:
        return [Verdict(UNKNOWN, f"{len(unknown)} of {len(told)}: {_some(unknown)}")]
    if untold:
        return [Verdict(UNTOLD, f"{len(untold)} of {len(told)}: {_some(untold)}")]
    return [Verdict(RIGHT, f"{checked} sites")]
