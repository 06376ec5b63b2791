"""Statements such as ``0.25^20 = 9.09e-13`` or ``params(resnet50) < params(resnet34)``: how they are read and decided.

Numbers, ``+ - * / ^``, brackets and the functions of `quantities`, on the two sides of one relation. Nothing of
Python's can be reached but that. Importing this module does not import torch.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from dnnlab.errors import UsageError, short, unknown

Value = int | float | Fraction
"""A number: exact where it is a whole number or a fraction, and rounded to about sixteen digits where it is a float, as
what a function gives."""
Function = Callable[..., Value]

_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**", "≈": "=", "≤": "<=", "≥": ">="}
_OPERATORS: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: Fraction(a) / Fraction(b) if _exact(a) and _exact(b) else a / b,
}
_RELATIONS: dict[type[ast.cmpop], tuple[str, Callable[[Value, Value], bool]]] = {
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
_ROUNDED = 1e-9
"""Two numbers of which one is rounded are equal where they differ by this share of the larger one at most."""
_ZERO = 1e-12
"""What is computed from the values of functions is zero below this."""
_PRECISE = frozenset({"exp", "sqrt"})
"""Functions whose value is right to all of its digits, however small it is."""


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

    def holds(self, left: Value, right: Value) -> bool:
        """Whether the relation is true of the two values. Whole numbers and fractions are compared exactly. Where a
        side is rounded, as what a function gives, the two are equal if they agree to nine digits, and neither is then
        larger; what is made of functions is zero below 1e-12. An = also holds to the digits in which a number on the
        right is written, if it has a point or an exponent, so 0.25^5 = 0.00098 does."""
        literal = self.right.operand if isinstance(self.right, ast.UnaryOp) else self.right
        if self.relation is ast.Eq and isinstance(literal, ast.Constant) and isinstance(literal.value, _Written):
            exponent = int(literal.value.digits.as_tuple().exponent)
            half = Fraction(f"1e{max(-_LARGEST_EXPONENT, min(exponent, _LARGEST_EXPONENT))}") / 2
            # Half a unit may be rounded up or down, and floats need a tolerance.
            if _exact(left):
                return abs(Fraction(left) - Fraction(right)) <= half
            return abs(float(left) - float(right)) <= float(half) * (1 + _ROUNDED)
        if (not _exact(left) or not _exact(right)) and self._agree(left, right):
            left = right
        return _RELATIONS[self.relation][1](left, right)

    def _agree(self, left: Value, right: Value) -> bool:
        against_zero = right == 0 or left == 0
        side = self.left if right == 0 else self.right
        zero = _ZERO if against_zero and not _precise(side) else 0.0
        return math.isclose(left, right, rel_tol=_ROUNDED, abs_tol=zero)


def _exact(number: Value) -> bool:
    return isinstance(number, int | Fraction)


def _precise(side: ast.expr) -> bool:
    """Whether a side is right to all of its digits however small it is: nothing is taken away in it, and no function of
    it is an integral."""
    nodes = list(ast.walk(side))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return called <= _PRECISE and not any(isinstance(node, ast.Add | ast.Sub) for node in nodes)


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
            return -_value(operand, quantities)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, quantities), _value(right, quantities))
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, quantities), _value(right, quantities)
            found = _OPERATORS[type(op)](a, b)
            if found == 0 and isinstance(op, ast.Mult | ast.Div) and a != 0 and b != 0:
                raise OverflowError  # too small for a float
            return found
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, [_argument(argument, quantities) for argument in arguments], quantities[name])
    raise AssertionError(node)  # parse refuses everything else


def _argument(node: ast.expr, quantities: Mapping[str, Function]) -> Value | str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=str() as text):
            return text
    number = _value(node, quantities)
    return float(number) if isinstance(number, Fraction) else number


def _called(name: str, arguments: list[Value | str], quantity: Function) -> Value:
    try:
        return quantity(*arguments)
    except (TypeError, ValueError, AttributeError) as problem:
        if isinstance(problem, UsageError):
            raise
        if not arguments:
            raise UsageError(f"there is nothing between the brackets of {name}; see dnnlab check --help.") from None
        raise UsageError(f"{name} does not take {', '.join(map(repr, arguments))}.") from None


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        exponent = int(exponent)
    if isinstance(exponent, int) and isinstance(base, int | Fraction):
        size = max(abs(base.numerator), base.denominator).bit_length()
        if abs(exponent) * size <= _LARGEST_BITS:
            power = Fraction(base) ** exponent
            return int(power) if isinstance(base, int) and exponent >= 0 else power
    rounded = math.pow(base, exponent)
    if rounded == 0 and base != 0:
        raise OverflowError  # too small for a float
    return rounded


def worked_out(node: ast.expr, quantities: Mapping[str, Function]) -> str:
    """The derivation of an expression: the expression, with its functions replaced by their values, and its value. It
    is empty for a mere number."""
    if isinstance(node, ast.Constant):
        return ""
    steps = [_shown(node)]
    replaced = _shown(_Replaced(quantities).visit(ast.parse(ast.unparse(node), mode="eval").body))
    if not isinstance(node, ast.Call) and replaced != steps[0]:
        steps.append(replaced)
    return " = ".join([*steps, _written(value(node, quantities))])


def _written(number: Value) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{float(number):.7g}"


def _shown(node: ast.expr) -> str:
    return ast.unparse(node).replace("**", "^").replace("*", "·").replace(" ^ ", "^")


class _Replaced(ast.NodeTransformer):
    """Replaces the calls of functions in an expression by their values."""

    def __init__(self, quantities: Mapping[str, Function]) -> None:
        self.quantities = quantities

    def visit_Call(self, node: ast.Call) -> ast.expr:
        number = _value(node, self.quantities)
        return ast.Name(_written(number) if number >= 0 else f"({_written(number)})")
