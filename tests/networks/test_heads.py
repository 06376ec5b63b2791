"""Transfer: a parent's body is taken, its head only for the same classes; a frozen body is not trained."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dnnlab import create_model
from dnnlab.errors import UsageError
from dnnlab.networks.heads import freeze_body, head, load_parent


def resnet(classes):
    return create_model("resnet20", num_classes=classes, in_chans=1, input_size=8)


@pytest.fixture
def parent(tmp_path):
    model = resnet(10)
    save_file(model.state_dict(), tmp_path / "parent.safetensors")
    return model, str(tmp_path / "parent.safetensors")


def differing(model, other):
    pairs = zip(model.state_dict().items(), other.state_dict().values(), strict=True)
    return {name for (name, a), b in pairs if a.shape != b.shape or not torch.equal(a, b)}


def test_the_same_classes_take_the_head_too(parent):
    model, file = parent
    child = resnet(10)
    assert "fc.weight" in differing(child, model)
    load_parent(child, file)
    assert not differing(child, model)


def test_other_classes_leave_the_new_head_as_it_was(parent):
    model, file = parent
    child = resnet(3)
    fresh = child.fc.weight.clone()
    load_parent(child, file)
    assert differing(child, model) == {"fc.weight", "fc.bias"}
    assert torch.equal(child.fc.weight, fresh)


def test_another_network_is_refused(parent):
    _, file = parent
    with pytest.raises(UsageError, match="do not fit the model"):
        load_parent(create_model("resnet32", num_classes=10, in_chans=1, input_size=8), file)


def test_a_step_moves_the_head_alone(parent):
    model, file = parent
    child = resnet(10)
    load_parent(child, file)
    freeze_body(child)
    child.eval()  # batch statistics would go on otherwise
    loss = nn.functional.cross_entropy(child(torch.randn(4, 1, 8, 8)), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    torch.optim.SGD((p for p in child.parameters() if p.requires_grad), lr=0.1).step()
    assert differing(child, model) == {"fc.weight", "fc.bias"}
    assert head(child)[0] == "fc"


def test_a_network_without_a_linear_layer_has_no_head():
    with pytest.raises(UsageError, match="no linear layer"):
        freeze_body(nn.Sequential(nn.Conv2d(1, 2, 3)))
