"""The networks: activations, initialisers, mean-field theory of both, stacked and plain layers."""
