"""Cost and accuracy of architectures at an equal budget: ``dnnlab compare-arch``, or ``dnnlab.compare_arch(…)``."""

from dnnlab.runner.python_call import make_callable

make_callable(__name__, "compare-arch")
