"""Statements such as ``0.25^20 = 9.09e-13`` or ``params(resnet50) < params(resnet34)``: how they are read and decided.

Numbers, ``+ - * / ^``, brackets and the functions of `quantities`, on the two sides of one relation. Nothing of
Python's can be reached but that. Importing this module does not import torch.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from fractions import Fraction
from itertools import product
from typing import Any

from dnnlab.check.names import ABSOLUTE_ERRORS
from dnnlab.errors import UsageError, short, unknown


class Rounded(float):
    """A number that is not exact, and how far it may be from the true one."""

    error: float

    def __new__(cls, value: float, error: float) -> "Rounded":
        rounded = super().__new__(cls, value)
        rounded.error = error
        return rounded


Value = int | Fraction | Rounded
"""A number: exact where it is a whole number or a fraction, and rounded where a function or a root gave it."""
Function = Callable[..., int | float | Fraction]

_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**", "≈": "=", "≤": "<=", "≥": ">="}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if isinstance(a, float) else Fraction(a) / b,
}
_ERRORS: dict[type[ast.operator], Callable[[float, float, float, float], float]] = {
    ast.Add: lambda a, b, of_a, of_b: of_a + of_b,
    ast.Sub: lambda a, b, of_a, of_b: of_a + of_b,
    ast.Mult: lambda a, b, of_a, of_b: abs(a) * of_b + abs(b) * of_a + of_a * of_b,
    ast.Div: lambda a, b, of_a, of_b: (of_a + abs(a / b) * of_b) / (abs(b) - of_b) if abs(b) > of_b else math.inf,
}
"""How far the result may be off where the two numbers are, by ``of_a`` and ``of_b``."""
_RELATIONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("=", operator.eq),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("≤", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: ("≥", operator.ge),
}
_LONGEST = 500
_LARGEST_BITS = 4096
"""Bits of the largest power of a whole number or a fraction that is computed exactly."""
_LARGEST_EXPONENT = 1000
"""Digits behind the point that a number is taken to be written to, at most: a statement has no room for more."""
_ROUNDING = 2.0**-50
"""The share of a rounded number by which it is off at most, besides what it is computed from."""
_FEWEST_DIGITS, _FLOAT_DIGITS, _MOST_DIGITS = 7, 17, 60
"""Digits to which a derivation writes its numbers, as many as its verdict hangs on."""
_KNOWN, _KNOWN_ZERO = Fraction(1, 10**9), Fraction(1, 10**12)
"""Rounded sides can be called equal where they are known to this share of the larger one, or to so much."""


class _Written(float):
    """A number with a point or an exponent, with the digits in which it is written."""

    digits: Decimal

    def __new__(cls, value: float, digits: str) -> "_Written":
        written = super().__new__(cls, value)
        try:
            written.digits = Decimal(digits.replace("_", ""))
        except InvalidOperation:  # its exponent is past what a decimal holds: zero stays zero, all else is out of range
            written.digits = Decimal("inf" if re.match("[0._]*[1-9]", digits) else 0)
        return written


@dataclass(frozen=True)
class Statement:
    """Two expressions and the relation that is claimed between them."""

    text: str
    left: ast.expr
    right: ast.expr
    relation: type[ast.cmpop]

    @property
    def functions(self) -> set[str]:
        """The names of the functions that it calls."""
        nodes = [node for side in (self.left, self.right) for node in ast.walk(side)]
        return {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    @property
    def sign(self) -> str:
        return _RELATIONS[self.relation][0]

    def holds(self, left: Value, right: Value) -> bool | None:
        """Whether the relation is true of the two values; ``None`` where they are too close to tell.

        Whole numbers and fractions are compared exactly. Rounded ones are larger or smaller where they differ by more
        than their errors, and equal where they do not and nine digits of them are known. An = also holds to the digits
        in which a number on the right is written, if it has a point or an exponent, so 0.25^5 = 0.00098 does.
        """
        error = _error(left) + _error(right)
        difference, half = Fraction(left) - Fraction(right), self._half_a_digit()
        if half is not None:
            if abs(abs(difference) - half) > error or error <= _KNOWN * half:
                return abs(difference) <= half + Fraction(error)  # half a unit may be rounded up or down
            return None
        if not error or abs(difference) > error:
            return _RELATIONS[self.relation][1](difference, 0)
        largest = max(abs(Fraction(left)), abs(Fraction(right)))
        return True if self.relation is ast.Eq and error <= max(_KNOWN * largest, _KNOWN_ZERO) else None

    def _half_a_digit(self) -> Fraction | None:
        """Half a unit of the last digit that is written on the right of an =; none where it is to be exact."""
        literal = self.right.operand if isinstance(self.right, ast.UnaryOp) else self.right
        if self.relation is not ast.Eq or not isinstance(literal, ast.Constant):
            return None
        if not isinstance(literal.value, _Written):
            return None
        exponent = int(literal.value.digits.as_tuple().exponent)
        return Fraction(f"1e{max(-_LARGEST_EXPONENT, min(exponent, _LARGEST_EXPONENT))}") / 2

    def digits(self, left: Value, right: Value) -> int:
        """To how many digits the values are to be written, so that they show why the statement is true or not."""
        digits = _FEWEST_DIGITS
        if self.holds(left, right) != _RELATIONS[self.relation][1](0, 0):
            while digits < _MOST_DIGITS and _written(left, digits) == _written(right, digits):
                digits += 1
        return digits


def _error(number: Value) -> float:
    return number.error if isinstance(number, Rounded) else 0.0


def _translated(text: str) -> str:
    """The statement in Python's signs; what is in quotes stays as it is."""
    parts = re.split(r"""("[^"]*"|'[^']*')""", text)
    parts[::2] = map(_translated_part, parts[::2])
    return "".join(parts).strip()


def _translated_part(text: str) -> str:
    for sign, python in _SIGNS.items():
        text = text.replace(sign, python)
    text = re.sub(r"(?<![\w,.])\d{1,3}(,\d{3})+(?![\d,])", lambda number: number[0].replace(",", "_"), text)
    return re.sub(r"(?<![<>=!])=(?!=)", "==", text)


def parse(text: str, quantities: Mapping[str, object]) -> Statement:
    """Read a statement, which may call the functions ``quantities``.

    Raises:
        UsageError: it does not read, or a number in it is out of range.
    """
    refusal = UsageError(
        f"statement {short(text)!r} does not read; write two sides and a relation, such as 0.25^20 = 9.09e-13 or "
        "params(resnet50) < params(resnet34)."
    )
    if len(text) > _LONGEST:
        raise UsageError(f"a statement of {len(text)} characters is too long; at most {_LONGEST}.")
    try:
        tree = ast.parse(_translated(text), mode="eval").body
        ast.unparse(tree)  # the derivation prints it again, which takes more recursion than reading it
    except RecursionError:
        raise UsageError(f"statement {short(text)!r} is nested too deeply; write it with fewer signs.") from None
    except (SyntaxError, ValueError, MemoryError):
        raise refusal from None
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in _RELATIONS:
        raise refusal
    for side in (tree.left, tree.comparators[0]):
        _check(side, quantities, refusal)
        for node in ast.walk(side):
            if isinstance(node, ast.Constant) and type(node.value) is float:
                digits = ast.get_source_segment(_translated(text), node) or repr(node.value)
                node.value = _Written(node.value, digits)
                # Past the range of floats the digits of a fraction are too many to count with.
                if not math.isfinite(node.value) or (not node.value and node.value.digits):
                    raise _out_of_range(digits)
    return Statement(text, tree.left, tree.comparators[0], type(tree.ops[0]))


def _check(node: ast.expr, quantities: Mapping[str, object], refusal: UsageError) -> None:
    match node:
        case ast.Constant(value=bool()):
            raise refusal
        case ast.Constant(value=int() | float()):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, quantities, refusal)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS or isinstance(op, ast.Pow):
            _check(left, quantities, refusal)
            _check(right, quantities, refusal)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in quantities:
                raise unknown("function", name, quantities)
            for argument in arguments:
                if not isinstance(argument, ast.Name) and not _is_text(argument):
                    _check(argument, quantities, refusal)
        case _:
            raise refusal


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def value(node: ast.expr, quantities: Mapping[str, Function]) -> Value:
    """What an expression comes to. A bare name between the brackets of a function is text.

    Raises:
        UsageError: a division by zero, a number out of range, or a function that does not take its arguments.
    """
    try:
        return _value(node, quantities)
    except ZeroDivisionError:
        raise UsageError(f"{short(ast.unparse(node))} divides by zero.") from None
    except (OverflowError, ValueError) as problem:
        if isinstance(problem, UsageError):
            raise
        raise _out_of_range(ast.unparse(node)) from None


def require_number(node: ast.expr, value: Value) -> None:
    """Check that ``value``, the value of ``node``, can stand in a column of numbers.

    Raises:
        UsageError: it is infinite, or so large or so small that no float holds it.
    """
    try:
        held = float(value)
    except OverflowError:
        held = math.inf
    if not math.isfinite(held) or (held == 0 and value != 0):
        raise _out_of_range(ast.unparse(node))


def _out_of_range(text: str) -> UsageError:
    return UsageError(f"{short(text)} is out of the range of numbers, which lie between some 5e-324 and 1.8e308.")


def _value(node: ast.expr, quantities: Mapping[str, Function]) -> Value:
    match node:
        case ast.Constant(value=float() as written):
            digits = written.digits if isinstance(written, _Written) else Decimal(repr(written))
            return Fraction(digits) if written else Fraction(0)
        case ast.Constant(value=int() as constant):
            return constant
        case ast.UnaryOp(operand=operand):
            number = _value(operand, quantities)
            return Rounded(-number, number.error) if isinstance(number, Rounded) else -number
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, quantities), _value(right, quantities))
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, quantities), _value(right, quantities)
            return _combined(op, a, b)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _with_error(name, [_argument(argument, quantities) for argument in arguments], quantities[name])
    raise AssertionError(node)  # parse refuses everything else


def _argument(node: ast.expr, quantities: Mapping[str, Function]) -> Value | str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=str() as text):
            return text
    number = _value(node, quantities)
    return _rounded(number) if isinstance(number, Fraction) else number


def _rounded(number: Value) -> Rounded:
    """The number as a float; out of range where it is too small for one."""
    if isinstance(number, Rounded):
        return number
    held = float(number)
    if not held and number:
        raise OverflowError
    return Rounded(held, float(abs(Fraction(held) - number)))


def _combined(op: ast.operator, a: Value, b: Value) -> Value:
    if not isinstance(a, Rounded) and not isinstance(b, Rounded):
        exact: int | Fraction = _OPERATORS[type(op)](a, b)
        return exact
    x, y = _rounded(a), _rounded(b)
    found = float(_OPERATORS[type(op)](float(x), float(y)))
    if not math.isfinite(found) or (not found and isinstance(op, ast.Mult | ast.Div) and x and y):
        raise OverflowError  # too large or too small for a float
    return Rounded(found, _ERRORS[type(op)](float(x), float(y), x.error, y.error) + _rounding(found))


def _rounding(found: float) -> float:
    return max(_ROUNDING * abs(found), math.ulp(found)) if found else 0.0


def _with_error(name: str, arguments: list[Value | str], quantity: Function) -> Value:
    """The value of a function. Where its arguments may be off, so may it: by as much as their ends give."""
    found: Any = _called(name, arguments, quantity)
    ends = [end for end in product(*map(_ends, arguments)) if end != tuple(arguments)]
    if not ends and not isinstance(found, float):
        return found
    moved = max((abs(_at_end(name, end, quantity) - found) for end in ends), default=0.0)
    return Rounded(found, moved + ABSOLUTE_ERRORS.get(name, 0.0) + _rounding(found))


def _ends(argument: Value | str) -> tuple[Value | float | str, ...]:
    if isinstance(argument, Rounded) and argument.error:
        low, high = float(argument) - argument.error, float(argument) + argument.error
        return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
    return (argument,)


def _at_end(name: str, arguments: Sequence[Value | float | str], quantity: Function) -> float:
    """The value there; infinite where there is none, as of a root just below zero."""
    try:
        return float(_called(name, arguments, quantity))
    except (UsageError, OverflowError, ValueError):
        return math.inf


def _called(name: str, arguments: Sequence[Value | float | str], quantity: Function) -> int | float | Fraction:
    plain = [float(each) if isinstance(each, Rounded) else each for each in arguments]
    try:
        return quantity(*plain)
    except (TypeError, ValueError, AttributeError) as problem:
        if isinstance(problem, UsageError):
            raise
        if not arguments:
            raise UsageError(f"there is nothing between the brackets of {name}; see dnnlab check --help.") from None
        raise UsageError(f"{name} does not take {', '.join(map(repr, plain))}.") from None


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        exponent = int(exponent)
    if isinstance(exponent, int) and isinstance(base, int | Fraction):
        size = max(abs(base.numerator), base.denominator).bit_length()
        if abs(exponent) * size <= _LARGEST_BITS:
            power = Fraction(base) ** exponent
            return int(power) if isinstance(base, int) and exponent >= 0 else power
    return _with_error("^", [_rounded(base), _rounded(exponent)], _float_power)


def _float_power(base: float, exponent: float) -> float:
    try:
        rounded = math.pow(base, exponent)
    except ValueError:
        raise UsageError(f"{base:g}^{exponent:g} is no real number.") from None
    if rounded == 0 and base != 0:
        raise OverflowError  # too small for a float
    return rounded


def worked_out(node: ast.expr, quantities: Mapping[str, Function], digits: int = _FEWEST_DIGITS) -> str:
    """The derivation of an expression: the expression, with its functions replaced by their values, and its value, to
    so many digits. It is empty for a mere number."""
    if isinstance(node, ast.Constant):
        return ""
    steps = [_shown(node)]
    replaced = _shown(_Replaced(quantities, digits).visit(ast.parse(ast.unparse(node), mode="eval").body))
    if not isinstance(node, ast.Call) and replaced != steps[0]:
        steps.append(replaced)
    return " = ".join([*steps, _written(value(node, quantities), digits)])


def _written(number: Value, digits: int) -> str:
    if isinstance(number, int):
        return f"{number:,}"
    if digits <= _FLOAT_DIGITS or isinstance(number, Rounded):
        return f"{float(number):.{min(digits, _FLOAT_DIGITS)}g}"
    with localcontext(prec=digits):
        return f"{(Decimal(number.numerator) / number.denominator).normalize():g}"


def _shown(node: ast.expr) -> str:
    return ast.unparse(node).replace("**", "^").replace("*", "·").replace(" ^ ", "^")


class _Replaced(ast.NodeTransformer):
    """Replaces the calls of functions in an expression by their values."""

    def __init__(self, quantities: Mapping[str, Function], digits: int) -> None:
        self.quantities, self.digits = quantities, digits

    def visit_Call(self, node: ast.Call) -> ast.expr:
        number = _value(node, self.quantities)
        written = _written(number, self.digits)
        return ast.Name(written if number >= 0 else f"({written})")
