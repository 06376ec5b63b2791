"""A trained network is made once, and read whole or not at all."""

import pytest
import torch

from dnnlab.runner.checkpoints import trained
from dnnlab.runner.place import Place


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


def test_a_training_that_fails_leaves_nothing_behind(place):
    with pytest.raises(ZeroDivisionError):
        trained(place, {"seed": 1}, lambda: 1 / 0)
    assert not list(place.checkpoints.glob("*.safetensors"))
