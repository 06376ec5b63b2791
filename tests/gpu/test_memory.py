"""A stack that does not fit into the device's memory."""

import json

import numpy as np
import pandas as pd

# What half a stack reserves is measured, and a little more may be taken: less than what the tensors of a whole
# one take. On the CPU that is only played.
HALVED = """
import json, sys
import torch
from matplotlib.figure import Figure
from dnnlab.__main__ import _run
from dnnlab.gradient_flow import measure
from dnnlab.report import figures
from dnnlab.runner.mlp_cell import MLPCell

MLPCell.most_on_cpu = 64
device, *command = sys.argv[1:]
save = figures.save
figures.save = lambda figure, stem: save(Figure(figsize=(1, 1)), stem)
sizes, plain = [], measure.measure

def counting(cells, *rest):
    sizes.append(len(cells))
    if device == "cpu" and name == "limited" and len(cells) > 32:
        raise torch.OutOfMemoryError
    return plain(cells, *rest)

measure.measure, told = counting, {}
for name, seeds in (("half", 32), ("whole", 64), ("limited", 64)):
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    if device == "cuda" and name == "limited":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(1.05 * told["half"]["reserved"] / total)
    sys.argv = ["dnnlab", *command, "--seeds", str(seeds), "--device", device, "--out", name]
    told[name] = {"code": _run(), "sizes": sizes[:]}
    if device == "cuda":
        told[name]["reserved"] = torch.cuda.max_memory_reserved()
        told[name]["allocated"] = torch.cuda.max_memory_allocated()
    sizes.clear()
json.dump(told, open("told.json", "w"))
"""


def test_it_is_halved_and_the_numbers_stay(apart, device, tmp_path):
    # On CUDA some 130 MB each of weights, gradients, updates, velocities, and of activations twice.
    width = 8 if device == "cpu" else 256
    command = ("gradient-flow", "--act", "relu,tanh", "--depth", 8, "--width", width, "--steps", 2)
    command += ("--optimizer", "momentum", "--quiet")
    assert apart(device, *command, code=HALVED).wait() == 0
    told = json.loads((tmp_path / "told.json").read_text())
    if device == "cuda":
        assert 1.05 * told["half"]["reserved"] < told["whole"]["allocated"], f"the test must be made otherwise: {told}"
    assert (told["whole"]["code"], told["whole"]["sizes"]) == (0, [64, 64]), told
    assert (told["limited"]["code"], told["limited"]["sizes"]) == (0, [64, 32, 32, 32, 32]), told
    whole, limited = (pd.read_csv(next(tmp_path.glob(f"{out}/*/*/cells.csv"))) for out in ("whole", "limited"))
    assert whole["error"].isna().all()
    assert limited["error"].isna().all()
    where, numbers = ["act", "seed", "step", "layer"], ["loss", "weight_grad_norm", "delta_norm", "variance"]
    pd.testing.assert_frame_equal(whole[where], limited[where])
    np.testing.assert_allclose(limited[numbers], whole[numbers], rtol=1e-3, atol=1e-6)
