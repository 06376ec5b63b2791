"""Norms of gradients, however small."""

import torch
from torch import Tensor

_SAFE = 1e-12, 1e18
"""Between these a norm in float32 lost nothing: no square that matters was too small or too large for it."""


def norm(t: Tensor) -> Tensor:
    """The Frobenius norm of ``t``, a tensor of one element.

    Squares of numbers below 1e-23 are zero in float32, though the numbers are not. Where that could matter the norm is
    taken in float64. On a GPU it always is, as nothing is read back from there to find out.
    """
    if t.is_cuda:
        return torch.linalg.vector_norm(t, dtype=torch.complex128 if t.is_complex() else torch.float64)
    if t.dtype in (torch.float16, torch.bfloat16):
        t = t.float()
    plain = torch.linalg.vector_norm(t)
    if t.dtype in (torch.float64, torch.complex128) or _SAFE[0] < float(plain) < _SAFE[1]:
        return plain
    if t.device.type == "cpu":
        return torch.linalg.vector_norm(t, dtype=torch.complex128 if t.is_complex() else torch.float64)
    largest = t.abs().amax()  # devices without float64
    return torch.where(largest > 0, largest * torch.linalg.vector_norm(t / largest), largest)
