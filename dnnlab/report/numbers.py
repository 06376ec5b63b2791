"""Numbers as people write them, in tables and in sentences alike: ``14.1 %``, ``36.7×``, ``5.5 kB``, ``7·10⁻¹⁷``.

Files for programs have the plain numbers in full precision. Importing this module is light.
"""

import math
from enum import Enum
from numbers import Integral

MISSING = "–"

_MOST_DIGITS = 9
"""Significant digits beyond which numbers count as equal: they differ by rounding in floating point."""
_LEAST_SHARE = 1e-5
"""A smaller share reads better as a power of ten than in percent."""
_GROUPED = 10_000
"""Whole numbers from here on have commas between thousands; 1024 units are written without."""
_WHOLE = 1000
"""A count from here on is rounded to a whole number."""
_PERCENT, _POINTS = " %", " points"
_LEAST_OF = {_PERCENT: -9, _POINTS: -9}
"""The power of ten down to which numbers of a unit are written out."""
_PREFIXES = ("", "k", "M", "G", "T")
RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
"""The characters of a power: minus, then the digits."""
_RAISE = str.maketrans("-0123456789", RAISED)


class Form(Enum):
    """How the numbers of a column are written for a reader."""

    NUMBER = "number"  # 0.408, 2.4·10⁻⁵
    COUNT = "count"  # 61,706: what is counted, also where it is a mean
    SHARE = "share"  # 14.1 %, of 0.141
    POINTS = "points"  # 1.2 points, of 0.012: a difference of shares whose direction the heading says, such as a drop
    CHANGE = "change"  # +1.2 points, of 0.012: a difference of shares that goes either way
    FACTOR = "factor"  # 36.7×
    BYTES = "bytes"  # 5.5 kB, of 5500


def power_of_ten(power: int) -> str:
    """10⁻¹⁷, of -17."""
    return f"10{str(power).translate(_RAISE)}"


def number(value: float | None, form: Form = Form.NUMBER) -> str:
    """``value`` for a reader: whole numbers in full, others to 3 significant digits.

    Trailing zeros tell a rounded number from an exact one: 0.5 is one half, 0.500 is near it. Numbers under 0.001 or
    from 10 000 on are powers of ten, to 2 digits where that rounds them. NaN and None are a dash. A share is "100 %"
    only where it is 1.
    """
    if value is None or math.isnan(value):
        return MISSING
    if form in (Form.NUMBER, Form.COUNT) and _is_whole(value):
        return _grouped(int(value))
    if form is Form.COUNT and (_WHOLE <= abs(value) < 1e15 or value == 0):
        return _grouped(round(value))
    factor, unit = _unit(form, value)
    exact = float(f"{value:.3g}") == value
    text = _written(value * factor, _digits(value * factor, unit), unit, exact)
    told = _signed(_rounded(text, unit), form)
    return told + (" point" if unit == _POINTS and told.lstrip("+-") == "1" else unit)


def estimate(value: float | None, low: float | None, high: float | None, form: Form = Form.NUMBER) -> str:
    """An estimate with its interval in one unit: ``0.408 [0.401, 0.415]``, ``5.5 kB [5.4, 5.6]``. It has as many digits
    as it takes to tell both ends apart, three or more. Without ends, or where all three are the same, it is a
    `number`."""
    if value is None or low is None or high is None or math.isnan(low) or math.isnan(high):
        return number(value, form)
    if _same(value, low) and _same(value, high):
        return number(value, form)
    if form in (Form.NUMBER, Form.COUNT) and all(map(_is_whole, (value, low, high))):
        middle, *ends = (number(each, form) for each in (value, low, high))
        return f"{middle} [{', '.join(ends)}]"
    factor, unit = _unit(form, value or max(abs(low), abs(high)))
    texts = _together(value * factor, low * factor, high * factor, unit)
    rounded = [_rounded(text, unit) for text in texts]
    middle, *ends = (_signed(text, form) for text in (rounded if rounded[1] != rounded[2] else texts))
    return f"{middle}{unit} [{', '.join(ends)}]"


def exactly(value: float) -> str:
    """The shortest text that is ``value`` and no other number, for what a user has chosen: ``0.01``, ``10⁻⁵``."""
    if math.isnan(value):
        return MISSING
    digits = next((digits for digits in range(1, 17) if float(f"{value:.{digits - 1}e}") == value), 17)
    return _written(value, digits, exact=True)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral)  # NumPy's whole numbers, too


def _same(one: float, other: float) -> bool:
    return one == other or math.isclose(one, other, rel_tol=10.0**-_MOST_DIGITS)


def _grouped(count: int) -> str:
    return f"{count:,}" if abs(count) >= _GROUPED else str(count)


def _unit(form: Form, value: float) -> tuple[float, str]:
    """The factor that makes ``value`` a number of its unit, and how that unit is written behind it."""
    match form:
        case Form.SHARE:
            return (100, _PERCENT) if value == 0 or abs(value) >= _LEAST_SHARE else (1, "")
        case Form.POINTS | Form.CHANGE:
            return 100, _POINTS
        case Form.FACTOR:
            return 1, "×"
        case Form.BYTES:
            size, power = float(f"{abs(value):.3g}"), 0
            while size >= 1000 and power < len(_PREFIXES) - 1:
                size, power = size / 1000, power + 1
            return 1000.0**-power, f" {_PREFIXES[power]}B"
        case _:
            return 1, ""


def _digits(value: float, unit: str, ends: tuple[float, float] = (0, 0)) -> int:
    """The significant digits that tell the ends apart, and a share that is not all from 100 %."""
    for digits in range(3, _MOST_DIGITS):
        alike = ends[0] != ends[1] and _written(ends[0], digits, unit) == _written(ends[1], digits, unit)
        as_all = unit == _PERCENT and not _same(value, 100) and float(f"{value:.{digits - 1}e}") == 100
        if not alike and not as_all:
            return digits
    return _MOST_DIGITS


def _written(value: float, digits: int, unit: str = "", exact: bool = False) -> str:
    """``value`` to so many significant digits; without trailing zeros where it is ``exact``. From 10 000 on and under
    0.001 it is a power of ten, and has one digit less unless it is exact; but nobody writes 2·10⁻⁴ %."""
    if math.isinf(value) or value == 0:
        return f"{abs(value) if value == 0 else value:g}"
    power = int(f"{value:.{digits - 1}e}".partition("e")[2])
    least = _LEAST_OF.get(unit, -3)
    digits -= not exact and not -3 <= power <= 3
    if least <= power <= 3:
        text = f"{value:.{max(0, digits - 1 - power)}f}"
        return _short(text) if exact else text
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = _short(mantissa) if exact else mantissa
    head = mantissa.removesuffix("1") if exact and mantissa in ("1", "-1") else f"{mantissa}·"
    return f"{head}{power_of_ten(int(exponent))}"


def _short(text: str) -> str:
    """A number without the zeros that end its decimals."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _together(value: float, low: float, high: float, unit: str) -> list[str]:
    """An estimate and its ends. Numbers of one magnitude have as many decimals as the estimate, so 1.00 [0.98, 1.02]
    and not 0.980. Where the interval holds zero, they have as many as its longer end, so -0.01 [-1.52, 1.49]."""
    for digits in range(_digits(value, unit, (low, high)), _MOST_DIGITS + 1):
        texts = _with_digits(value, low, high, unit, digits)
        if low == high or texts[1] != texts[2]:
            break
    return texts


def _with_digits(value: float, low: float, high: float, unit: str, digits: int) -> list[str]:
    middle = MISSING if math.isnan(value) else _written(value, digits, unit)
    ends = [_written(low, digits, unit), _written(high, digits, unit)]
    if not all(map(math.isfinite, (value, low, high))) or value == 0:
        return [middle, *ends]
    longer = _rounded(ends[1] if abs(high) > abs(low) else ends[0], unit)
    if low < 0 < high and not _is_power(longer) and (_is_power(middle) or _decimals(longer) < _decimals(middle)):
        decimals = _decimals(longer)
        # An end that would read as zero keeps its digits: on which side of zero it lies matters.
        ends = [fixed if float(fixed := _fixed(end, decimals)) else text
                for end, text in zip((low, high), ends, strict=True)]  # fmt: skip
        return [_fixed(value, decimals), *ends]
    if not _is_power(middle) and all(abs(value) < 10 * abs(end) < 100 * abs(value) for end in (low, high)):
        ends = [_fixed(end, _decimals(middle)) for end in (low, high)]
    return [middle, *ends]


def _rounded(text: str, unit: str) -> str:
    """Points to two decimals at most, unless nothing would be left of them: few data sets have a hundredth of one."""
    if unit != _POINTS or _is_power(text) or _decimals(text) <= 2:
        return text
    rounded = f"{float(text):.2f}"
    return rounded if float(rounded) else text


def _is_power(text: str) -> bool:
    return "·" in text


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _fixed(value: float, decimals: int) -> str:
    """``value`` to so many decimals; what rounds to zero has no sign."""
    text = f"{value:.{decimals}f}"
    return text if float(text) else text.removeprefix("-")


def _signed(text: str, form: Form) -> str:
    """``text`` with a plus where a change is written that is above zero."""
    positive = form is Form.CHANGE and text != MISSING and not text.startswith("-") and text.strip("0.")
    return f"+{text}" if positive else text
