"""The networks of the zoo: those of torchvision and timm, and small ones of transformers. All weights are random."""

import importlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tests.zoo.libraries import load_torchvision

SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)
"""Sides of an image that are tried, from the smallest on."""
CLASSES = 5
LARGE = 350_000_000
"""Parameters from which on a network stays in float32."""


@dataclass
class Built:
    model: nn.Module
    shape: tuple[int, ...]
    """Of one input, without the batch."""
    draw: Callable[..., Tensor] = field(default=torch.randn)
    """Draws inputs: ``draw(2, *shape)``."""


def preload() -> None:
    """Imports the libraries, so that processes forked from this one need not."""
    load_torchvision()
    for library in ("timm", "transformers"):
        importlib.import_module(library)


def torchvision_names() -> list[str]:
    """Every network of classification."""
    models = load_torchvision()
    return [f"torchvision:{name}" for name in models.list_models(module=models)]


def timm_names() -> dict[str, str]:
    """Every network of timm, and the module that it is of."""
    load_torchvision()
    timm = importlib.import_module("timm")
    return {f"timm:{name}": timm.models.model_entrypoint(name).__module__ for name in timm.list_models()}


def parameters(name: str) -> int:
    """How many parameters a network of timm has, without making their numbers where it allows that."""
    timm = importlib.import_module("timm")
    try:
        with torch.device("meta"):
            model = timm.create_model(name.partition(":")[2])
    except Exception:  # noqa: BLE001 - it computes with numbers while it is built
        model = timm.create_model(name.partition(":")[2])
    return sum(p.numel() for p in model.parameters())


def build(name: str) -> Built:
    """A network with the smallest images that its own code allows, in float64 unless it is large.

    Its weights are drawn under a fixed seed.
    """
    library, _, short = name.partition(":")
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):
        if library == "transformers":
            built = TRANSFORMERS[short]()
        elif library == "torchvision":
            options = {"init_weights": False} if short in ("googlenet", "inception_v3") else {}
            model = load_torchvision().get_model(short, weights=None, num_classes=CLASSES, **options)
            built = Built(model, smallest(model, (3,)))
        else:
            built = of_timm(short)
        enliven(built.model)
        if sum(p.numel() for p in built.model.parameters()) < LARGE:
            built.model.double()
    return built


def of_timm(name: str) -> Built:
    load_torchvision()
    timm = importlib.import_module("timm")
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    channels, own = (config.input_size[0], config.input_size[1]) if config else (3, 224)
    if config is not None and config.fixed_input_size:
        for size in (64, 128, own):
            try:
                model = timm.create_model(name, pretrained=False, num_classes=CLASSES, img_size=size)
                shape = (channels, size, size)
                attempt(model, shape)
                return Built(model, shape)
            except Exception:  # noqa: BLE001 - its own code does not allow this size
                continue
    model = timm.create_model(name, pretrained=False, num_classes=CLASSES)
    return Built(model, smallest(model, (channels,), own))


def smallest(model: nn.Module, before: tuple[int, ...], own: int = 224) -> tuple[int, ...]:
    """The shape of the smallest square images that the model takes."""
    for size in sorted({*SIZES, own}):
        shape = (*before, size, size)
        try:
            attempt(model, shape)
        except Exception as problem:  # noqa: BLE001 - its own code does not allow this size
            last = problem
        else:
            return shape
    raise RuntimeError(f"takes no image of {SIZES}: {last}")


@torch.no_grad()
def attempt(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Raises an error unless the model takes two inputs of this shape, in evaluation and in training."""
    kept = {name: b.clone() for name, b in model.named_buffers()}
    for mode in (False, True):
        out = model.train(mode)(torch.randn(2, *shape))
        first = out if isinstance(out, Tensor) else out[0]
        if first.shape != (2, CLASSES):
            raise ValueError(f"gives {tuple(first.shape)}")
    for name, b in model.named_buffers():
        if name in kept:
            b.copy_(kept[name])


@torch.no_grad()
def enliven(model: nn.Module) -> None:
    """Gives each parameter whose numbers are all equal random ones, so that no branch starts as zero."""
    for name, p in model.named_parameters():
        if p.numel() > 1 and bool((p == p.flatten()[0]).all()):
            if p.flatten()[0] != 0:
                p.mul_(torch.rand_like(p) + 0.5)
            elif name.endswith("bias"):
                p.normal_(0, 0.1)
            else:
                p.uniform_(0.5, 1.5)


# -- Transformers ------------------------------------------------------------------------------------------------------


class Tokens(nn.Module):
    """A language model behind numbers from 0 to below 1, which are read as tokens."""

    def __init__(self, model: nn.Module, vocabulary: int) -> None:
        super().__init__()
        self.model, self.vocabulary = model, vocabulary

    def forward(self, x: Tensor) -> Tensor:
        tokens = (x * self.vocabulary).long()
        out = self.model(input_ids=tokens)
        return out.logits if hasattr(out, "logits") else out.last_hidden_state


class Logits(nn.Module):
    """A network of transformers, of whose outputs the logits count."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).logits


def _of(kind: str, config: str, **options) -> nn.Module:
    load_torchvision()
    transformers = importlib.import_module("transformers")
    return getattr(transformers, kind)(getattr(transformers, config)(**options))


WIDTHS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


def _language(kind: str, config: str, **options) -> Callable[[], Built]:
    return lambda: Built(Tokens(_of(kind, config, vocab_size=97, **options), 97), (9,), torch.rand)


def _vision(kind: str, config: str, size: int, **options) -> Callable[[], Built]:
    return lambda: Built(Logits(_of(kind, config, num_labels=CLASSES, **options)), (3, size, size))


def _wave() -> Built:
    model = _of(
        "Wav2Vec2ForSequenceClassification", "Wav2Vec2Config", num_labels=CLASSES, mask_time_prob=0.0, layerdrop=0.0,
        conv_dim=(16, 16), conv_stride=(5, 2), conv_kernel=(10, 3), num_feat_extract_layers=2,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4, classifier_proj_size=16, **WIDTHS,
    )  # fmt: skip
    return Built(Logits(model), (400,))


TRANSFORMERS: dict[str, Callable[[], Built]] = {
    "bert": _language("BertForSequenceClassification", "BertConfig", num_labels=CLASSES, **WIDTHS),
    "bert_relu": _language(
        "BertForSequenceClassification", "BertConfig", num_labels=CLASSES, hidden_act="relu", **WIDTHS
    ),
    "bert_masked": _language("BertForMaskedLM", "BertConfig", **WIDTHS),
    "gpt2": _language(
        "GPT2ForSequenceClassification", "GPT2Config", num_labels=CLASSES, n_embd=32, n_layer=2, n_head=4,
        pad_token_id=0, bos_token_id=1, eos_token_id=1,
    ),
    "gpt2_language": _language(
        "GPT2LMHeadModel", "GPT2Config", n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1
    ),
    "llama": _language(
        "LlamaForSequenceClassification", "LlamaConfig", num_labels=CLASSES, num_key_value_heads=2, pad_token_id=0,
        **WIDTHS,
    ),
    "llama_language": _language("LlamaForCausalLM", "LlamaConfig", num_key_value_heads=2, **WIDTHS),
    "t5_encoder": _language(
        "T5EncoderModel", "T5Config", d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4
    ),
    "vit": _vision("ViTForImageClassification", "ViTConfig", 32, image_size=32, patch_size=8, **WIDTHS),
    "swin": _vision(
        "SwinForImageClassification", "SwinConfig", 32, image_size=32, patch_size=2, embed_dim=16, depths=[2, 2],
        num_heads=[2, 4], window_size=4,
    ),
    "convnext": _vision(
        "ConvNextForImageClassification", "ConvNextConfig", 32, num_stages=2, hidden_sizes=[16, 32], depths=[2, 2]
    ),
    "resnet": _vision(
        "ResNetForImageClassification", "ResNetConfig", 32, embedding_size=16, hidden_sizes=[16, 32], depths=[2, 2]
    ),
    "mobilevit": _vision(
        "MobileViTForImageClassification", "MobileViTConfig", 64, image_size=64, hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[8, 16, 16, 24, 32, 32, 48], num_attention_heads=4,
    ),
    "wav2vec2": _wave,
}  # fmt: skip
"""Two layers each, 32 wide."""


def transformers_names() -> Iterator[str]:
    return (f"transformers:{name}" for name in TRANSFORMERS)
