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
from decimal import Decimal

from dnnlab.errors import UsageError, short, unknown

Value = int | float
Function = Callable[..., Value]

_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**", "≈": "=", "≤": "<=", "≥": ">="}
_OPERATORS: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
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
"""Bits of the largest whole power that is computed exactly."""


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
        """Whether the relation is true of the two values. Equal means to the digits in which a number on the right is
        written, if it has a point or an exponent, so 0.25^5 = 0.00098 holds; else to nine digits. What a function
        gives is zero below 1e-12."""
        if self.relation is not ast.Eq:
            return _RELATIONS[self.relation][1](left, right)
        literal = self.right.operand if isinstance(self.right, ast.UnaryOp) else self.right
        if isinstance(literal, ast.Constant) and isinstance(literal.value, float):
            written = ast.get_source_segment(_translated(self.text), literal) or ""
            _, _, exponent = Decimal(written.replace("_", "")).as_tuple()
            # Half a unit may be rounded up or down, and floats need a tolerance.
            return abs(left - right) <= 0.5 * 10.0 ** int(exponent) * (1 + 1e-9)
        measured = any(isinstance(node, ast.Call) for node in ast.walk(self.left))
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12 if measured and right == 0 else 0.0)


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
        UsageError: it does not read.
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
        raise _out_of_range(node) from None


def require_number(node: ast.expr, value: Value) -> None:
    """Check that ``value``, the value of ``node``, can stand in a column of numbers.

    Raises:
        UsageError: it is infinite, or a whole number that no float holds.
    """
    try:
        fits = math.isfinite(value)
    except OverflowError:
        fits = False
    if not fits:
        raise _out_of_range(node)


def _out_of_range(node: ast.expr) -> UsageError:
    return UsageError(f"{short(ast.unparse(node))} is out of the range of numbers, which ends at some 1.8e308.")


def _value(node: ast.expr, quantities: Mapping[str, Function]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as constant):
            return constant
        case ast.UnaryOp(operand=operand):
            return -_value(operand, quantities)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, quantities), _value(right, quantities))
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, quantities), _value(right, quantities))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, [_argument(argument, quantities) for argument in arguments], quantities[name])
    raise AssertionError(node)  # parse refuses everything else


def _argument(node: ast.expr, quantities: Mapping[str, Function]) -> Value | str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=str() as text):
            return text
    return _value(node, quantities)


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
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and exponent >= 0 and exponent * int(base).bit_length() <= _LARGEST_BITS:
        return int(base**exponent)
    return math.pow(base, exponent)


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
    return f"{number:,}" if isinstance(number, int) else f"{number:.7g}"


def _shown(node: ast.expr) -> str:
    return ast.unparse(node).replace("**", "^").replace("*", "·").replace(" ^ ", "^")


class _Replaced(ast.NodeTransformer):
    """Replaces the calls of functions in an expression by their values."""

    def __init__(self, quantities: Mapping[str, Function]) -> None:
        self.quantities = quantities

    def visit_Call(self, node: ast.Call) -> ast.expr:
        number = _value(node, self.quantities)
        return ast.Name(_written(number) if number >= 0 else f"({_written(number)})")
