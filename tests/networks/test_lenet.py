"""The LeNets of the literature on compression."""

import pytest
import torch

from dnnlab.instruments.cost import cost
from dnnlab.networks.catalogue import create_model


@pytest.mark.parametrize(("name", "parameters"), [("lenet300", 266_610), ("lenet5", 431_080)])
def test_parameters_are_those_of_the_papers(name, parameters):
    """Han 2016, table 1."""
    assert cost(name, in_chans=1).parameters == parameters


def test_caffes_lenet_has_no_activation_behind_its_convolutions():
    """Scaled inputs scale what its first half puts out, but for the biases."""
    model = create_model("lenet5", in_chans=1).eval()
    with torch.no_grad():
        for module in model.features:
            if hasattr(module, "bias"):
                module.bias.zero_()
    x = torch.randn(2, 1, 28, 28)
    assert torch.allclose(model.features(3 * x), 3 * model.features(x), atol=1e-5)
    assert model.features(x).flatten(1).shape == (2, 800)


def test_a_shift_is_by_one_pixel_of_digits():
    import numpy as np

    from dnnlab.training.augmentation import augmentation

    x = torch.zeros(200, 1, 28, 28)
    x[:, :, 14, 14] = 1
    shift = augmentation("shift")
    assert shift is not None
    places = {tuple(place.tolist()) for place in shift(x, np.random.default_rng(0)).nonzero()[:, 2:]}
    assert places == {(row, column) for row in (13, 14, 15) for column in (13, 14, 15)}
