"""Statements that arithmetic decides: ``dnnlab check``, or ``dnnlab.check(statement=["0.25^20 = 9.09e-13"])``."""

from dnnlab.runner.python_call import make_callable

make_callable(__name__, "check")
