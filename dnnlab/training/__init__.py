"""Training: optimisers and the loop, for stacks of networks."""
