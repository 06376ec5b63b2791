"""The cells of NASNet and AmoebaNet: padding, pools, and what each cell reads."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.networks.blocks import Style
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.families.nasnet import CELLS, FactorizedReduction, SamePool, pad_same, same
from dnnlab.networks.skeleton import Skeleton


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [7, 8, 15, 16])
def test_same_padding_gives_one_output_for_each_stride(size, kernel, stride):
    """TensorFlow's documentation: ceil(n / s) outputs, padded evenly, what is left over on the right."""
    left, right = same(size, kernel, stride)
    outputs = -(-size // stride)
    assert left + right == max((outputs - 1) * stride + kernel - size, 0)
    assert right - left in (0, 1)
    padded = pad_same(torch.ones(1, 1, size, size + 1), (kernel, kernel), (stride, stride))
    assert F.conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride).shape[2] == outputs


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_pools_by_brute_force(size, stride):
    x = torch.randn(1, 1, size, size, dtype=torch.float64)
    left, _ = same(size, 3, stride)
    for kind, reduce in (("max", torch.amax), ("mean", torch.mean)):
        out = SamePool(kind, 3, stride)(x)[0, 0]
        for i in range(len(out)):
            for j in range(len(out)):
                rows = slice(max(0, i * stride - left), i * stride - left + 3)
                columns = slice(max(0, j * stride - left), j * stride - left + 3)
                torch.testing.assert_close(out[i, j], reduce(x[0, 0, rows, columns]))


def test_a_factorised_reduction_reads_every_pixel_of_the_diagonal():
    module = FactorizedReduction(Style("relu", "none"), 1, 2)
    for parameter in module.parameters():
        nn.init.constant_(parameter, float(parameter.ndim > 1))
    x = torch.arange(1.0, 17).view(1, 1, 4, 4)
    assert module(x)[0].tolist() == [[[1, 3], [9, 11]], [[6, 8], [14, 16]]]


@pytest.mark.parametrize("cells", CELLS.values())
def test_every_state_is_read_or_put_out(cells):
    for pairs, output in ((cells.normal, cells.normal_output), (cells.reduction, cells.reduction_output)):
        read = {state for _, state in pairs}
        assert len(pairs) == 10
        assert all(state < 2 + place // 2 for place, (_, state) in enumerate(pairs))
        assert read | {*output} == {*range(7)}


@pytest.mark.parametrize(
    ("name", "size", "side"), [("nasnetamobile", 224, 7), ("nasnetalarge", 331, 11), ("nasnetamobile", 32, 8)]
)
def test_how_far_images_shrink(name, size, side):
    with Skeleton():
        model = create_model(name, input_size=size).eval()
    sides = []
    model.act.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[1:]))
    model(torch.empty(1, 3, size, size, device="meta"))
    assert sides == [(24 * (44 if name == "nasnetamobile" else 168), side, side)]
