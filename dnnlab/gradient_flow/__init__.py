"""How gradients travel through depth: ``dnnlab gradient-flow``, or ``dnnlab.gradient_flow(act="sigmoid")``."""

from dnnlab.runner.python_call import make_callable

make_callable(__name__, "gradient-flow")
