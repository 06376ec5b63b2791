"""The zero-cost proxies by name, for the command line: importing this module does not import torch."""

PROXIES = {
    "naswot": "how differently the examples switch the ReLUs on (Mellor 2021)",
    "jacob_cov": "how uncorrelated the gradients at the inputs are (Mellor 2021)",
    "synflow": "the flow of positive weights from end to end (Tanaka 2020)",
    "snip": "how much the loss depends on each weight (Lee 2019)",
    "grad_norm": "norm of the gradient of the loss (Abdelfattah 2021)",
    "fisher": "how much the loss depends on each channel (Theis 2018)",
}
