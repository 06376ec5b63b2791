"""Members of the catalogue against the libraries that have them: with the same weights they give the same outputs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.networks.catalogue import create_model
from dnnlab.networks.families.bert import BERT
from dnnlab.networks.families.gpt2 import GPT2


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


def drawn_matrices(oracle):
    """Ten times the deviation of a fresh network's, so that attention is far from uniform."""
    draws = torch.Generator().manual_seed(1)
    for value in oracle.state_dict().values():
        if value.is_floating_point() and value.ndim == 2:
            value.copy_(torch.randn(value.shape, generator=draws) * 0.2)


def test_bert_is_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        full = transformers.BertForSequenceClassification(transformers.BertConfig())
    assert sum(p.numel() for p in full.bert.parameters()) == 109_482_240
    config = transformers.BertConfig(hidden_size=128, num_attention_heads=2, num_hidden_layers=3, intermediate_size=512)
    oracle = transformers.BertForSequenceClassification(config).eval()
    drawn_matrices(oracle)
    drawn_vectors(oracle)
    model = BERT(3, 2).eval()
    theirs, ours = dict(oracle.state_dict()), {}
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        ours[f"{name}.weight"] = theirs[f"bert.embeddings.{name}.weight"]
    pairs = {"ln": "bert.embeddings.LayerNorm", "pooler.0": "bert.pooler.dense", "classifier": "classifier"}
    for i in range(3):
        layer, block = f"bert.encoder.layer.{i}.", f"layers.{i}."
        for kind in ("weight", "bias"):
            parts = [theirs[f"{layer}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            ours[f"{block}self_attention.in_proj_{kind}"] = torch.cat(parts)
        pairs |= {
            f"{block}self_attention.out_proj": f"{layer}attention.output.dense",
            f"{block}ln_1": f"{layer}attention.output.LayerNorm",
            f"{block}mlp.0": f"{layer}intermediate.dense",
            f"{block}mlp.3": f"{layer}output.dense",
            f"{block}ln_2": f"{layer}output.LayerNorm",
        }
    ours |= {f"{a}.{kind}": theirs[f"{b}.{kind}"] for a, b in pairs.items() for kind in ("weight", "bias")}
    model.load_state_dict(ours)
    x = torch.randint(30_522, (3, 17), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = oracle.double()(x)
        model.double()
        torch.testing.assert_close(model(x), expected.logits, rtol=1e-9, atol=1e-9)


def test_gpt2_is_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        full = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    assert sum(p.numel() for p in full.parameters()) == 124_439_808
    config = transformers.GPT2Config(n_embd=128, n_head=2, n_layer=3)
    oracle = transformers.GPT2LMHeadModel(config).eval()
    drawn_matrices(oracle)
    drawn_vectors(oracle)
    model = GPT2(3, 2).eval()
    theirs = oracle.transformer.state_dict()
    ours = {f"{name}.weight": theirs[f"{name}.weight"] for name in ("wte", "wpe")}
    pairs = {"ln": "ln_f"}
    for i in range(3):
        block, layer = f"layers.{i}.", f"h.{i}."
        ours[f"{block}self_attention.in_proj_weight"] = theirs[f"{layer}attn.c_attn.weight"].T
        ours[f"{block}self_attention.in_proj_bias"] = theirs[f"{layer}attn.c_attn.bias"]
        pairs |= {
            f"{block}self_attention.out_proj": f"{layer}attn.c_proj",
            f"{block}ln_1": f"{layer}ln_1",
            f"{block}ln_2": f"{layer}ln_2",
            f"{block}mlp.0": f"{layer}mlp.c_fc",
            f"{block}mlp.3": f"{layer}mlp.c_proj",
        }
    for a, b in pairs.items():  # theirs have their inputs first
        ours |= {f"{a}.weight": theirs[f"{b}.weight"].t(), f"{a}.bias": theirs[f"{b}.bias"]}
    model.load_state_dict(ours)
    x = torch.randint(50_257, (3, 17), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.double()(x), oracle.double()(x).logits[:, -1], rtol=1e-9, atol=1e-9)
