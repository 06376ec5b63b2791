"""Which ReLU units die, when and why, and which remedy helps: ``dnnlab dead-relu``, or ``dnnlab.dead_relu(lr=[0.01,
1])``."""

from dnnlab.runner.python_call import make_callable

make_callable(__name__, "dead-relu")
