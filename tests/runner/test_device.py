"""How PyTorch is set while dnnlab measures on CUDA; the settings exist without a GPU, too."""

import subprocess
import sys

import pytest
import torch

from dnnlab.runner.device import settled, takes_tf32

SEEN = """
import torch
from dnnlab.runner.device import settled, takes_tf32
{before}
def seen():
    flags = torch.backends.cudnn
    return [flags.deterministic, torch.are_deterministic_algorithms_enabled(), takes_tf32()]
first = seen()
with settled("cuda"):
    print(seen())
assert seen() == first
{after}
"""


def test_the_cpu_is_left_as_it_is():
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    with settled("cpu"):
        assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic) == before


NEWER = "torch.backends.cuda.matmul.fp32_precision = 'tf32'; torch.backends.cudnn.conv.fp32_precision = 'tf32'"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "assert torch.backends.cudnn.allow_tf32 is True"),
        ("torch.backends.cuda.matmul.allow_tf32 = True", "assert torch.backends.cuda.matmul.allow_tf32 is True"),
        pytest.param(
            NEWER,
            "assert torch.backends.cuda.matmul.fp32_precision == 'tf32'",
            marks=pytest.mark.skipif(
                not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="this PyTorch has no such names"
            ),
        ),
    ],
)
def test_cuda_computes_in_full_precision_and_the_same_twice_and_all_is_put_back(before, after):
    code = SEEN.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[True, True, False]"
    assert not takes_tf32() or torch.backends.cudnn.allow_tf32  # this process is untouched
