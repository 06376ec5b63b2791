"""The same command twice gives the same bits."""

import pytest

COMMANDS = {
    "gradient-flow, a stack": (
        *("gradient-flow", "--act", "relu,gelu", "--norm", "batch", "--depth", 4, "--width", 32, "--dropout", 0.2),
        *("--clip", 0.5, "--steps", 12, "--seeds", 4, "--optimizer", "adam"),
    ),
    "gradient-flow, one's own": ("gradient-flow", "--model", "CNN", "--steps", 6, "--seeds", 2, "--optimizer", "adam"),
    "dead-relu": ("dead-relu", "--lr", 1, "--depth", 3, "--width", 32, "--steps", 12, "--seeds", 4),
    "compare-arch": (
        *("compare-arch", "--arch", "nin:width=0.25,dropout=0.2,resnet20:width=0.25,vit_b_16:stem=small,width=0.1"),
        *("--budget", "steps=4", "--augment", "crop+flip", "--seeds", 1, "--test-size", 128, "--batch-size", 64),
    ),
    "nas": (
        *("nas", "--strategy", "evolution", "--space", "mlp", "--budget", 16, "--epochs", 2, "--finalists", 1),
        *("--retrain", 1, "--seeds", 1, "--train-size", 512),
    ),
    "compress": (
        *("compress", "--arch", "nin:width=0.1", "--chain", "prune:0.7@1 > share:3bit@1", "--epochs", 1, "--seeds", 1),
        *("--train-size", 256),
    ),
}
"""Batch normalisation, dropout and maxima are where kernels add up in any order."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_repeated_gives_the_same_bits(name, run, cnn, without_onnx_of_searches):
    arguments = [cnn if argument == "CNN" else argument for argument in COMMANDS[name]]
    # In a place of its own, so that no network that was trained is found again.
    first, again = (run(*arguments, "--fresh", "--out", place) for place in ("first", "again"))
    assert first.folder != again.folder
    assert first.digits() == again.digits()
