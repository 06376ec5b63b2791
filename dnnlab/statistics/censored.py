"""A straight line through numbers of which only bounds are known, such as widths that failed and widths that solved."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dnnlab.statistics.intervals import Interval, t_quantile

LEAST_SPREAD = 0.05
"""The least standard deviation of a number around the line. Where all bounds hold one line, it could be anything down
to zero."""
_STEEPEST = 50.0
"""A slope beyond which none is looked for, in multiples of that between the extreme bounds."""


@dataclass(frozen=True)
class Line:
    """A fitted line."""

    slope: Interval
    """The slope with its 95 % interval, by the profile of the likelihood; nan where the bounds say too little. Of one
    seed there is a slope without an interval."""
    likelihood: float
    """The logarithm of the largest likelihood, by which two laws of the same numbers compare."""
    freedom: int = 0
    """The degrees of freedom of the interval."""


UNKNOWN = Line(Interval(math.nan, math.nan, math.nan, 0), math.nan)


def censored_line(
    x: Sequence[float] | np.ndarray, low: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray, n: int
) -> Line:
    """The line y = a + b·x of largest likelihood, where each y is normal around it and known to lie between two bounds
    (Tobin 1958; the likelihood has one maximum, Burridge 1981).

    The interval of b has the slopes whose likelihood is not too far below the largest: as far as Student's t would have
    it if all y were known, with as many degrees of freedom as there are numbers with both bounds, less two.

    Args:
        x: One a number.
        low: The lower bounds; -inf where there is none.
        high: The upper bounds, above the lower ones; inf where there is none.
        n: How many seeds the numbers are of. They are taken to be independent.

    Where fewer than three numbers have both bounds, or all of these have one x, the bounds say too little. So they do
    where the likelihood does not fall off on both sides.

    >>> from dnnlab.statistics.censored import censored_line
    >>> line = censored_line([1, 2, 3, 4] * 2, [0.5, 1.5, 2.5, 3.5] * 2, [1.5, 2.5, 3.5, 4.5] * 2, n=2)
    >>> f"{line.slope.mean:.2f}"
    '1.00'
    """
    x, low, high = (np.asarray(each, dtype=float) for each in (x, low, high))
    bounded = np.isfinite(low) & np.isfinite(high)
    freedom = int(bounded.sum()) - 2
    if freedom < 1 or len(np.unique(x[bounded])) < 2:
        return UNKNOWN
    numbers = _Numbers(x, low, high)
    steepest = _STEEPEST * numbers.extent
    best = _peak(numbers.profile, -steepest, steepest)
    top = numbers.profile(best)
    fall = (freedom + 2) / 2 * math.log1p(t_quantile(freedom) ** 2 / freedom)
    left, right = (_crossing(numbers.profile, best, edge, top - fall) for edge in (-steepest, steepest))
    if math.isnan(left + right):
        return UNKNOWN
    return Line(Interval(best, left, right, n) if n > 1 else Interval(best, math.nan, math.nan, n), top, freedom)


class _Numbers:
    """The numbers, and the likelihood of lines through them."""

    def __init__(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        self.x, self.low, self.high = x - x.mean(), low, high
        known = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
        self.extent = float(np.ptp(known) / np.ptp(x))
        """The slope of a line from the lowest bound to the highest."""

    def profile(self, slope: float) -> float:
        """The logarithm of the largest likelihood of all lines of this ``slope``, over their height and spread.

        With θ = (height, 1) / spread it is concave (Burridge 1981), so that Newton's method finds the maximum.
        """
        low, high = self.low - slope * self.x, self.high - slope * self.x
        middle = np.where(np.isfinite(high), np.where(np.isfinite(low), (low + high) / 2, high), low)
        spread = max(float(middle.std()), 4 * LEAST_SPREAD)
        theta = np.array([float(middle.mean()) / spread, 1 / spread])
        value, gradient, hessian = _likelihood(theta, low, high)
        for _ in range(100):
            free = np.array([True, theta[1] < 1 / LEAST_SPREAD or gradient[1] < 0])
            step = np.zeros(2)
            step[free] = -np.linalg.solve(hessian[np.ix_(free, free)] - 1e-9 * np.eye(free.sum()), gradient[free])
            if float(gradient @ step) < 1e-10:
                break
            for shrink in range(40):
                tried = theta + step * 0.5**shrink
                tried[1] = min(max(tried[1], theta[1] / 10), 1 / LEAST_SPREAD)
                better = _likelihood(tried, low, high)
                if better[0] > value:
                    break
            else:
                break
            theta, (value, gradient, hessian) = tried, better
        return value


def _peak(profile: Callable[[float], float], left: float, right: float) -> float:
    """Where a function with one peak is largest, by golden sections."""
    ratio = (math.sqrt(5) - 1) / 2
    a, b = right - ratio * (right - left), left + ratio * (right - left)
    at_a, at_b = profile(a), profile(b)
    for _ in range(36):
        if at_a >= at_b:
            right, b, at_b = b, a, at_a
            a = right - ratio * (right - left)
            at_a = profile(a)
        else:
            left, a, at_a = a, b, at_b
            b = left + ratio * (right - left)
            at_b = profile(b)
    return (left + right) / 2


def _crossing(profile: Callable[[float], float], peak: float, edge: float, level: float) -> float:
    """Where a function falls to ``level`` on the way from its peak to ``edge``; nan where it does not."""
    if not profile(edge) < level:
        return math.nan
    for _ in range(30):
        middle = (peak + edge) / 2
        peak, edge = (middle, edge) if profile(middle) > level else (peak, middle)
    return (peak + edge) / 2


def _likelihood(theta: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The logarithm of the likelihood of a level line, its gradient and its second derivatives, by ``theta`` = (height,
    1) / spread."""
    from scipy.special import log_ndtr

    has_low, has_high = np.isfinite(low), np.isfinite(high)
    lower, upper = np.where(has_low, low, 0.0), np.where(has_high, high, 0.0)
    p = np.where(has_high, theta[1] * upper - theta[0], np.inf)
    q = np.where(has_low, theta[1] * lower - theta[0], -np.inf)
    # Far on the right both shares are near 1, and their difference is lost: there it is that of the mirror image.
    right = q > 0
    a, b = np.where(right, -q, p), np.where(right, -p, q)
    of_a, of_b = log_ndtr(a), log_ndtr(b)
    share = of_a + np.log(-np.expm1(np.minimum(of_b - of_a, -1e-300)))
    at_p = np.where(has_high, np.exp(-0.5 * np.where(has_high, p, 0.0) ** 2 - _ROOT - share), 0.0)
    at_q = np.where(has_low, np.exp(-0.5 * np.where(has_low, q, 0.0) ** 2 - _ROOT - share), 0.0)
    by_height, by_scale = -at_p + at_q, at_p * upper - at_q * lower
    p, q = np.where(has_high, p, 0.0), np.where(has_low, q, 0.0)
    of_p, of_q = -p * at_p, q * at_q
    second = np.array(
        [
            [(of_p + of_q - by_height**2).sum(), (-of_p * upper - of_q * lower - by_height * by_scale).sum()],
            [0.0, (of_p * upper**2 + of_q * lower**2 - by_scale**2).sum()],
        ]
    )
    second[1, 0] = second[0, 1]
    return float(share.sum()), np.array([by_height.sum(), by_scale.sum()]), second


_ROOT = 0.5 * math.log(2 * math.pi)
