"""Kernels and images with their channels last, where a network runs so."""

import torch
from torch import nn

from dnnlab.training.layout import channels_last, lay_out, layout_of


def last(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


class Viewed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8 * 16, 2)

    def forward(self, x):
        return self.out(self.second(self.first(x)).view(len(x), -1))


IMAGES = torch.randn(2, 3, 8, 8)


def test_kernels_of_images_have_their_channels_last_and_say_the_same():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3)).train()
    wanted = nn.Sequential(*model).eval()(IMAGES)
    laid_out = lay_out(model, IMAGES)
    assert last(laid_out(IMAGES))
    assert last(model[2].weight)
    assert layout_of(model) is laid_out is channels_last
    assert model[1].num_batches_tracked == 0  # the trial leaves no trace
    assert torch.allclose(model.eval()(laid_out(IMAGES)), wanted, atol=1e-6)


def test_a_network_that_does_not_run_so_stays_as_it_is():
    model = Viewed()
    assert lay_out(model, IMAGES)(IMAGES) is IMAGES
    assert all(p.is_contiguous() for p in model.parameters())
    assert layout_of(model)(IMAGES) is IMAGES
    assert model(IMAGES).shape == (2, 2)


def test_other_networks_are_not_touched():
    for model, shape in (
        (nn.Conv3d(1, 8, 3), (2, 1, 4, 4, 4)),
        (nn.Linear(4, 2), (2, 4)),
        (nn.Conv1d(2, 8, 3), (2, 2, 9)),
    ):
        x = torch.randn(shape)
        assert lay_out(model, x)(x) is x
        assert all(p.is_contiguous() for p in model.parameters())


def test_random_numbers_are_as_without_a_trial():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout(0.5)).train()
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    lay_out(model, IMAGES)
    assert torch.equal(torch.rand(3), wanted)
