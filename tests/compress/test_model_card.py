import numpy as np

from dnnlab.compress.model_card import _inputs
from dnnlab.data import load


def test_a_card_says_how_a_table_is_standardised(tmp_path):
    place = tmp_path / "t.csv"
    values = np.stack([10**7 + np.arange(40) / 16, 52.52 + np.arange(40) % 7 * 1e-6], 1)
    place.write_text("a,b,kind\n" + "".join(f"{a!r},{b!r},{i % 2}\n" for i, (a, b) in enumerate(values.tolist())))
    data = load(f"csv:{place}:kind")
    card = _inputs(data)
    assert card["as"] == "(value - mean) / std, float32, computed in float64 and then rounded"
    made = ((values - card["mean"]) / card["std"]).astype(np.float32)
    assert np.abs(made - data.x.numpy()).max() < 1e-6
    assert "float64" not in _inputs(load("digits"))["as"]
    assert "float64" not in _inputs(load("gaussian:8"))["as"]
