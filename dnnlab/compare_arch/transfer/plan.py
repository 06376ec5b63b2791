"""The cells: trainings on one half of the classes, carried over to the other."""

from dnnlab.compare_arch.separability.plan import content, plan, validate

__all__ = ["content", "plan", "validate"]
