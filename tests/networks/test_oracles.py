"""Members of the catalogue against the libraries that have them: with the same weights they give the same outputs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.networks.catalogue import create_model


def drawn_vectors(model):
    """Other scales, shifts and statistics than those of a fresh network, which hide what is left out."""
    draws = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            around_one = name.endswith(("weight", "var"))
            noise = torch.rand(value.shape, generator=draws, dtype=value.dtype)
            value.copy_(0.75 + noise / 2 if around_one else (noise - 0.5) / 5)


def agree(ours, theirs, *sizes):
    ours.double(), theirs.double()
    for size in sizes:
        x = torch.randn(1, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))
        with torch.no_grad():
            torch.testing.assert_close(ours(x), theirs(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "theirs"), [("se_resnet101", "legacy_seresnet101"), ("se_resnext50_32x4d", "legacy_seresnext50_32x4d")]
)
def test_networks_with_squeeze_and_excitation_are_timms(name, theirs):
    timm = pytest.importorskip("timm")
    oracle, model = timm.create_model(theirs).eval(), create_model(name).eval()
    drawn_vectors(oracle)
    oracle.pool0 = nn.MaxPool2d(3, 2, 1)  # Caffe's has its padding on the right; ours is torchvision's
    state = {}
    for key, value in oracle.state_dict().items():
        key = key.replace("layer0.", "").replace("se_module", "se").replace("last_linear", "fc")
        state[key] = value
    model.load_state_dict(state)
    agree(model, oracle, 64, 97)


def test_nasnet_large_is_timms():
    timm = pytest.importorskip("timm")
    from timm.layers.padding import pad_same
    from timm.layers.pool2d_same import AvgPool2dSame

    class Mean(nn.Module):
        """TensorFlow's mean does not count the padding, timm's does."""

        def forward(self, x):
            total, count = (F.avg_pool2d(pad_same(t, [3, 3], [2, 2]), 3, 2) for t in (x, torch.ones_like(x)))
            return total / count

    oracle, model = timm.create_model("nasnetalarge").eval(), create_model("nasnetalarge").eval()
    drawn_vectors(oracle)
    for module in list(oracle.modules()):
        for name, child in module.named_children():
            if isinstance(child, AvgPool2dSame):
                setattr(module, name, Mean())
    halving = ("path_1", "path_2", "final_path_bn")
    state = {
        ".".join(("conv_prev_1x1." if part in halving else "") + part for part in key.split(".")): value
        for key, value in oracle.state_dict().items()
    }
    model.load_state_dict(state)
    agree(model, oracle, 96, 107)


def test_nasnet_mobile_is_that_of_pretrainedmodels():
    models = pytest.importorskip("pretrainedmodels")
    oracle = models.nasnetamobile(num_classes=1000, pretrained=None).eval()
    model = create_model("nasnetamobile").eval()
    drawn_vectors(oracle)
    halving = ("path_1", "path_2", "final_path_bn")
    state = {
        ".".join(("conv_prev_1x1." if part in halving else "") + part for part in key.split(".")): value
        for key, value in oracle.state_dict().items()
    }
    model.load_state_dict(state)
    agree(model, oracle, 224)
