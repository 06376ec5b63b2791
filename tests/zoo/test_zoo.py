"""Some small networks of the zoo; `make zoo` checks one of each family."""

import importlib.util

import pytest
import torch

LIBRARIES = ("torchvision", "timm", "transformers")
ABSENT = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
SMALL = (
    *("transformers:" + name for name in ("bert", "bert_relu", "gpt2", "gpt2_language", "llama", "t5_encoder", "vit")),
    *("transformers:" + name for name in ("swin", "convnext", "resnet", "mobilevit", "wav2vec2")),
    *("torchvision:" + name for name in ("squeezenet1_1", "mnasnet0_5", "shufflenet_v2_x0_5", "mobilenet_v3_small")),
    *("timm:" + name for name in ("lcnet_035", "mobilenetv3_small_050", "repghostnet_050", "efficientvit_m0")),
    *(
        "timm:" + name
        for name in ("test_vit", "test_vit3", "test_resnet", "test_efficientnet", "test_convnext", "test_mambaout")
    ),
)

pytestmark = [
    pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)} not installed; `make zoo` makes an environment"),
    pytest.mark.filterwarnings("ignore"),  # of the libraries
]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """These networks are too small to share among threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_said_of_a_published_network_is_so(name):
    from tests.zoo.check import check

    told = check(name).verdicts
    assert {kind: verdict.verdict for kind, verdict in told.items()} == dict.fromkeys(told, "right"), told
