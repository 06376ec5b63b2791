"""Who dies, when, why, and which cure works: ``dnnlab dead-relu``, or ``dnnlab.dead_relu(lr=[0.01, 1])``."""

from dnnlab.runner.call import make_callable

make_callable(__name__, "dead-relu")
