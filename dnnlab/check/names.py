"""The functions that a statement may use, each in a line. Importing this module imports nothing heavy."""

HELP = {
    "params": "params(NAME): trainable parameters of a network of the catalogue, in inference",
    "macs": "macs(NAME): its multiply–accumulates of one forward pass, at its published input size",
    "memory": "memory(NAME, BATCH): bytes that a training step takes at most, predicted",
    "depth": "depth(NAME): its convolutions and linear layers along the longest path",
    "inputs": 'inputs(NAME, "MODULE"): channels that the first convolution or linear layer of a module of it reads',
    "outputs": 'outputs(NAME, "MODULE"): channels that the last one there puts out',
    "connections": 'connections(NAME, "MODULE"): tensors that its parts read, of its input and of each other',
    "sawtooth_pieces": "sawtooth_pieces(LAYERS, UNITS): linear pieces of the sawtooth that so many layers of so many "
    "ReLUs fold",
    "parity_errors": "parity_errors(BITS, LAYERS, UNITS): patterns, of all, of which the same network gets the parity "
    "wrong",
    "patterns": "patterns(FEATURES, PLACES): different conjunctions of two features, at 1 or 2 places",
    "top1": "top1(NAME): its published accuracy in %",
    "value": "value(ACT, X): the activation at a point",
    "slope": "slope(ACT, X): its derivative there, where it has one",
    "largest_slope": "largest_slope(ACT): its largest derivative",
    "smallest_slope": "smallest_slope(ACT): its smallest",
    "mean": "mean(ACT): its mean over standard normal inputs",
    "variance": "variance(ACT): its variance over them",
    "zero_share": "zero_share(ACT): the share of them on which it is exactly zero",
    "sqrt": "sqrt(X)",
    "exp": "exp(X)",
    "log2": "log2(X)",
}
PUBLISHED = frozenset({"top1"})
"""Those whose values others measured and published."""
ABSOLUTE_ERRORS = {
    **dict.fromkeys(("value", "slope", "largest_slope", "smallest_slope", "zero_share"), 1e-14),
    **dict.fromkeys(("mean", "variance"), 1e-12),
}
"""How far the values of functions may be off besides their last digits: PyTorch subtracts in some activations, and the
last two are integrals."""
