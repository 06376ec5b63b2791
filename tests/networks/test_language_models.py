"""BERT and GPT-2: published counts, what a token reads, how they begin, and inputs that they do not take."""

import pytest
import torch
from torch import nn

from dnnlab.errors import UsageError
from dnnlab.instruments.cost import cost
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.named import build, published_classes, published_input, vocabulary
from dnnlab.networks.skeleton import Skeleton

# Of transformers' BertModel, with its pooler, and of OpenAI's checkpoints.
PUBLISHED = {
    "bert_base": 109_482_240,
    "bert_large": 335_141_888,
    "gpt2": 124_439_808,
    "gpt2_medium": 354_823_168,
    "gpt2_large": 774_030_080,
    "gpt2_xl": 1_557_611_200,
}
FEATURES = {"bert_base": 768, "bert_large": 1024, "gpt2": 768, "gpt2_medium": 1024, "gpt2_large": 1280, "gpt2_xl": 1600}
LAYERS = {"bert_base": 12, "bert_large": 24, "gpt2": 12, "gpt2_medium": 24, "gpt2_large": 36, "gpt2_xl": 48}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameters_are_of_all_but_the_classifier(name):
    counted = cost(name)
    classifier = FEATURES[name] * 2 + 2 if name.startswith("bert") else 0  # GPT-2's is its embedding
    assert (counted.parameters - classifier, counted.auxiliary, counted.uncounted) == (PUBLISHED[name], 0, ())
    other = cost(name, num_classes=10).parameters
    assert other - FEATURES[name] * 10 - 10 == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("length", [1, 128])
def test_multiply_accumulates_in_closed_form(name, length):
    """Kaplan 2020, section 2.1: 12 · features² a token and layer, and what attention adds with the length."""
    features, layers = FEATURES[name], LAYERS[name]
    blocks = layers * (12 * length * features**2 + 2 * length**2 * features)
    head = features**2 + 2 * features if name.startswith("bert") else 50_257 * features
    assert cost(name, length).macs == blocks + head


def small(name, **options):
    torch.manual_seed(0)
    return create_model(name, width=0.08, **options).eval()


def test_in_gpt2_a_token_reads_those_before_it_and_in_bert_all():
    x = torch.randint(1000, (1, 6))
    for name, reads in (("gpt2", [0, 1, 2, 3]), ("bert_base", [0, 1, 2, 3, 4, 5])):
        model = small(name, input_size=6)
        embedded = (model.wte if name == "gpt2" else model.word_embeddings)(x).detach().requires_grad_()
        out = model.layers(embedded)
        out[0, 3].square().sum().backward()
        assert embedded.grad[0].abs().sum(1).nonzero().flatten().tolist() == reads


@pytest.mark.parametrize("name", ["gpt2", "bert_base"])
def test_the_order_of_tokens_matters(name):
    model = small(name, input_size=4, num_classes=3)
    assert not torch.allclose(model(torch.tensor([[5, 6, 7, 8]])), model(torch.tensor([[6, 5, 7, 8]])), atol=1e-7)


def test_they_begin_as_published():
    """Normal with deviation 0.02; in GPT-2 what is added to the residual stream 1/√(2 · layers) of that."""
    for name, branch in (("bert_base", 0.02), ("gpt2", 0.02 / 24**0.5)):
        torch.manual_seed(0)
        model = create_model(name, width=1 / 3, num_classes=5)
        for key, parameter in model.named_parameters():
            if parameter.ndim > 1 and parameter.numel() > 1e5:
                expected = branch if key.endswith(("out_proj.weight", "mlp.3.weight")) else 0.02
                assert parameter.std().item() == pytest.approx(expected, rel=0.02), key
            elif parameter.ndim == 1:
                assert torch.equal(parameter, torch.full_like(parameter, float("ln" in key and "weight" in key)))


def test_tied_weights_are_the_embedding_itself():
    model = small("gpt2", input_size=5)
    assert not [module for module in model.modules() if isinstance(module, nn.Linear) and module.out_features > 9999]
    x = torch.randint(50_257, (2, 5))
    last = model.ln(model.layers(model.wte(x) + model.wpe.weight[:5]))[:, -1]
    torch.testing.assert_close(model(x), last @ model.wte.weight.T)


def test_with_its_branches_at_zero_gpt2_passes_its_tokens_on_and_the_plain_twin_does_not():
    for skip in ("residual", "none"):
        blocks = small("gpt2", skip=skip).layers
        for name, parameter in blocks.named_parameters():
            if "out_proj" in name or "mlp.3" in name:
                nn.init.zeros_(parameter)
        x = torch.randn(2, 5, 64)
        assert torch.equal(blocks(x), x if skip == "residual" else torch.zeros_like(x))


def test_published_inputs_and_classes():
    names = ("bert_base", "gpt2_xl", "gpt2:act=gelu", "resnet50")
    assert [published_input(name) for name in names] == ["128", "1024", "1024", "3x224x224"]
    assert [published_classes(name) for name in names] == [2, 50_257, 50_257, 1000]
    assert [vocabulary(name) for name in (*names, "package:net")] == [30_522, 50_257, 50_257, 0, 0]


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("bert_base", (3, 8, 8), r"bert_base takes sequences of tokens, not inputs of 3 × 8 × 8; take .*30522x128, or"),
        ("resnet20", (64,), r"resnet20 takes square images, not inputs of 64; take other inputs, .* gaussian:3x32x32"),
        ("bert_base", (513,), r"BERT has positions for sequences of up to 512 tokens, not 513; take shorter ones\."),
        ("gpt2", (1025,), r"GPT-2 has positions for sequences of up to 1024 tokens, not 1025; take shorter ones\."),
    ],
)
def test_other_inputs_are_refused_in_one_sentence(name, shape, said):
    with pytest.raises(UsageError, match=said):
        build(name, shape, 2, skeleton=True)


def test_the_longest_sequence_is_taken():
    with Skeleton():
        model = create_model("bert_base", input_size=512).eval()
    assert model(torch.empty(1, 512, dtype=torch.int64, device="meta")).shape == (1, 2)
