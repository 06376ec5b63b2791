"""A trained network is made once, and read whole or not at all."""

import pytest
import torch
from safetensors.torch import load, save

from dnnlab.runner.checkpoints import trained
from dnnlab.runner.place import Place, used


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "compress" / "digits-0123456789")


def network(seed):
    return {"weight": torch.randn(3, 2, generator=torch.Generator().manual_seed(seed)), "steps": torch.tensor(7)}


def never():
    raise AssertionError("it was there already")


def test_the_second_who_wants_it_finds_it(place):
    made = trained(place, {"net": "mlp", "seed": 1}, lambda: network(1))
    found = trained(place, {"seed": 1, "net": "mlp"}, never)
    assert found.keys() == made.keys()
    assert all(torch.equal(found[name], made[name]) and found[name].dtype == made[name].dtype for name in made)


def test_another_identity_is_another_network(place):
    first = trained(place, {"net": "mlp", "seed": 1}, lambda: network(1))
    second = trained(place, {"net": "mlp", "seed": 2}, lambda: network(2))
    assert not torch.equal(first["weight"], second["weight"])


def test_what_was_cut_short_is_trained_again_with_a_warning(place):
    trained(place, {"seed": 1}, lambda: network(1))
    (file,) = place.checkpoints.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.warns(UserWarning, match="damaged; it is trained again"):
        again = trained(place, {"seed": 1}, lambda: network(1))
    assert torch.equal(again["weight"], network(1)["weight"])


def zeroed(content):
    """The second half at zero, as a disk that lost a block gives it back."""
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def one_bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def no_checksum(content):
    return save({name: tensor.clone() for name, tensor in load(content).items()})


def another_name(content):
    return content.replace(b'"weight"', b'"height"')


@pytest.mark.parametrize("damage", [zeroed, one_bit, no_checksum, another_name, lambda content: b""])
def test_what_is_not_as_it_was_written_is_trained_again_with_a_warning(place, damage):
    trained(place, {"seed": 1}, lambda: network(1))
    (file,) = place.checkpoints.glob("*.safetensors")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert file.read_bytes() != whole
    with pytest.warns(UserWarning, match="damaged; it is trained again"):
        again = trained(place, {"seed": 1}, lambda: network(1))
    assert torch.equal(again["weight"], network(1)["weight"])
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    "tensor",
    [torch.tensor(3), torch.tensor(True), torch.zeros(0, 3), torch.randn(4, 6).t(), torch.ones(3, dtype=torch.bfloat16),
     torch.tensor([1.5, -0.0, float("nan")])],
    ids=lambda tensor: f"{tensor.dtype} {list(tensor.shape)}",
)  # fmt: skip
def test_tensors_of_all_kinds_come_back(place, tensor):
    trained(place, {}, lambda: {"x": tensor})
    found = trained(place, {}, never)["x"]
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found.nan_to_num(), tensor.nan_to_num()) if found.is_floating_point() else found.equal(tensor)


def test_a_run_notes_what_it_starts_from_and_leaves_no_lock(place):
    for _ in range(2):
        trained(place, {"seed": 1}, lambda: network(1))
    trained(place, {"seed": 2}, lambda: network(2))
    assert used(place.run) == {file.name for file in place.checkpoints.iterdir()}
    assert (place.run / "checkpoints.txt").read_text().count("\n") == 2


def test_a_training_that_fails_leaves_nothing_behind(place):
    with pytest.raises(ZeroDivisionError):
        trained(place, {"seed": 1}, lambda: 1 / 0)
    assert not list(place.checkpoints.glob("*.safetensors"))
