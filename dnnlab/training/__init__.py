"""Training: steps, optimisers, schedules and augmentation, for networks and for stacks of networks."""
