"""Which search finds the better network: ``dnnlab nas``, or ``dnnlab.nas(strategy=["rl", "darts"], budget="64")``."""

from dnnlab.runner.python_call import make_callable

make_callable(__name__, "nas")
