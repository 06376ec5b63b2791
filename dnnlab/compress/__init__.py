"""How small a network gets at what loss: ``dnnlab compress``, or ``dnnlab.compress(preset="deep-compression")``."""

from dnnlab.runner.python_call import make_callable

make_callable(__name__, "compress")
