"""Ticks whose labels have room beside each other, whatever range an axis shows and however long it is.

Matplotlib counts how many labels of a usual length fit; a label such as 0.0025 is longer than that. Here the labels
that would be written are measured, and of several sets of ticks the densest whose labels fit is taken.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import cast

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import Formatter, Locator, LogLocator, MaxNLocator
from matplotlib.transforms import Bbox

from dnnlab.report.numbers import RAISED, power_of_ten

_MOST = 9
"""More labels than these say nothing more."""
_GAP = 0.6
"""Between two labels, as a share of their height."""
_ROUND = (1, 2, 2.5, 5, 10)


class EvenTicks(MaxNLocator):
    """Ticks at even distances, at round numbers; ``integer`` for what is counted. Labels are of ``size`` points."""

    def __init__(self, size: float, *, integer: bool = False) -> None:
        super().__init__(_MOST, steps=_ROUND, integer=integer)
        self._size, self._whole = size, integer

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return _densest(self, _even(vmin, vmax, self._whole), (vmin, vmax), self._size)


class LogTicks(LogLocator):
    """Ticks on a logarithmic axis: powers of ten, with their multiples between them where there is room; in less than
    a decade any round numbers. Labels are of ``size`` points."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self._size = size

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return _densest(self, _logarithmic(vmin, vmax), (vmin, vmax), self._size)


def _even(low: float, high: float, whole: bool = False) -> Iterator[list[float]]:
    for most in range(_MOST, 0, -1):
        ticks = MaxNLocator(most, steps=_ROUND, integer=whole).tick_values(low, high)
        yield [float(tick) for tick in ticks]


def _logarithmic(low: float, high: float) -> Iterator[list[float]]:
    if high < 3 * low:  # where a logarithmic axis looks like an even one
        yield from _even(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in (range(1, 10), (1, 2, 3, 5), (1, 2, 5), (1, 3)):
        yield [float(f"{multiple}e{decade}") for decade in decades for multiple in multiples]
    for stride in range(1, len(decades)):
        yield [float(f"1e{decade}") for decade in decades if decade % stride == 0]
    yield from _even(low, high)


def _densest(locator: Locator, sets: Iterator[list[float]], view: tuple[float, float], size: float) -> Sequence[float]:
    """The first of ``sets`` that has two ticks or more inside ``view``, and whose labels fit; else one tick."""
    low, high = sorted(view)
    slack = 1e-10 * (high - low)
    single: list[float] = []
    for ticks in sets:
        inside = [tick for tick in ticks if low - slack <= tick <= high + slack]
        single = single or inside[len(inside) // 2 :][:1]
        if 2 <= len(inside) <= _MOST and _fit(inside, view, cast(Axis, locator.axis), size):
            return inside
    return single


def _fit(ticks: list[float], view: tuple[float, float], axis: Axis, size: float) -> bool:
    """Whether the labels of ``ticks`` are all different and stand side by side along ``axis``."""
    direction = 0 if isinstance(axis, XAxis) else 1
    corners = Bbox.unit().transformed(axis.axes.transAxes - axis.axes.figure.dpi_scale_trans)
    length = 72 * corners.size[direction]
    scaled = axis.get_transform().transform(np.array([*view, *ticks], dtype=float))
    places = np.sort((scaled[2:] - scaled[0]) / (scaled[1] - scaled[0]) * length)
    labels = axis.get_major_formatter().format_ticks(ticks)
    if scaled[1] < scaled[0]:
        labels = labels[::-1]
    extents = [_extent(label, size)[direction] for label in labels]
    return len(set(labels)) == len(labels) and all(
        right - left >= (one + other) / 2 + _GAP * size
        for (left, right), (one, other) in zip(itertools.pairwise(places), itertools.pairwise(extents), strict=True)
    )


@functools.lru_cache(maxsize=10_000)
def _extent(text: str, size: float) -> tuple[float, float]:
    """Width and height of ``text`` in points."""
    width, height, _ = RendererAgg(1, 1, 72).get_text_width_height_descent(text, FontProperties(size=size), False)
    return width, height


class PowersOfTen(Formatter):
    """10⁻⁴, 0.01, 1, 100, 2·10⁴, each as short as it can be: superscripts are characters, because Matplotlib's own
    are set smaller than can be read."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        mantissa, power = _parts(x)
        if -3 <= power < 4:
            decimals = max(0, len(mantissa.partition(".")[2]) - power)
            return f"{x:.{decimals}f}"
        return _power(mantissa, power)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of one axis: where one needs a power of ten, all are written so, save 1 and 10."""
        labels = [self(value) for value in values]
        if not any(label[-1] in RAISED for label in labels if label):
            return labels
        return [
            label if value in (1, 10) else _power(*_parts(value)) for label, value in zip(labels, values, strict=True)
        ]


class Times(PowersOfTen):
    """10⁶× smaller, the same, 100× larger: of a ratio, to two digits, for who does not think in powers below one."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        times = Decimal(x) if x >= 1 else 1 / Decimal(x)  # of a float it could be too large for a float
        mantissa, exponent = f"{times:.1e}".split("e")
        mantissa, power = mantissa.removesuffix(".0"), int(exponent)
        if (mantissa, power) == ("1", 0):
            return "the same"
        told = f"{Decimal(f'{mantissa}e{power}'):f}" if power < 4 else _power(mantissa, power)
        return f"{told}× {'larger' if x > 1 else 'smaller'}"

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        return [self(value) for value in values]


def _parts(x: float) -> tuple[str, int]:
    """Mantissa and power of ten of ``x``, with as few digits as say it exactly."""
    written = next(text for digits in range(16) if math.isclose(float(text := f"{x:.{digits}e}"), x, rel_tol=1e-12))
    mantissa, exponent = written.split("e")
    return mantissa, int(exponent)


def _power(mantissa: str, power: int) -> str:
    return ("" if mantissa == "1" else f"{mantissa}·") + power_of_ten(power)


def ends_and_between(first: int, last: int, most: int = 9) -> list[int]:
    """Whole numbers to label from ``first`` to ``last``: both ends, and round ones between them."""
    stride = next(s for power in range(9) for s in (10**power, 2 * 10**power, 5 * 10**power) if last - first < most * s)
    between = range(-(-first // stride) * stride, last + 1, stride)
    apart = 0.6 * stride
    return [first, *(i for i in between if first + apart <= i <= last - apart), *([last] if last > first else [])]
