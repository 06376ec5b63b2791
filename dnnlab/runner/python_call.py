"""Experiments called from Python: ``dnnlab.gradient_flow(act="sigmoid", depth=20)``."""

import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnnlab.runner.result import Run


class _CallablePackage(ModuleType):
    """An experiment is a package of modules, and calling the package runs it."""

    experiment: str

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        from dnnlab.runner.experiment import Experiment
        from dnnlab.runner.options import python_help
        from dnnlab.runner.run_options import RunOptions

        spec = Experiment(self.experiment, self.__name__).spec
        return python_help(spec.HELP, spec.Spec, RunOptions)

    @property
    def __signature__(self) -> inspect.Signature:
        from dnnlab.runner.experiment import Experiment
        from dnnlab.runner.options import python_signature
        from dnnlab.runner.result import Run
        from dnnlab.runner.run_options import RunOptions

        spec = Experiment(self.experiment, self.__name__).spec
        return python_signature(spec.Spec, RunOptions).replace(return_annotation=Run)

    def __call__(self, **options: Any) -> "Run":
        """Run the experiment with the options of its command, as keyword arguments; lists are tuples or lists.

        ``out``, ``name``, ``fresh`` and ``quiet`` say where and how. A finished run of the same is not repeated.

        Raises:
            UsageError: an option is unknown or its value is not one.
        """
        from dnnlab.errors import UsageError
        from dnnlab.runner.experiment import Experiment
        from dnnlab.runner.options import build, only
        from dnnlab.runner.run import execute
        from dnnlab.runner.run_options import RunOptions

        experiment = Experiment(self.experiment, self.__name__)
        how = only(RunOptions, options)
        try:
            spec = build(experiment.spec.Spec, {k: v for k, v in options.items() if k not in how})
            to_run = build(RunOptions, how)
        except UsageError as problem:
            raise UsageError(str(problem)) from None  # without the frames of the code that raised it
        if experiment.catalogue is not None and experiment.catalogue.is_requested(spec):
            raise UsageError(f"list prints on the command line: dnnlab {self.experiment} --list.")
        arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return execute(experiment, spec, to_run, f"{self.__name__}({arguments})")


def make_callable(package: str, experiment: str) -> None:
    """Make the module ``package`` callable."""
    module = sys.modules[package]
    module.__class__ = _CallablePackage
    module.experiment = experiment  # type: ignore[attr-defined]
