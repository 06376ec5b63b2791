"""What networks put out."""

from typing import Any


def logits(out: Any) -> Any:
    """The logits in the outputs of a network, whether they are a tensor, ``.logits`` or ``["logits"]``.

    GoogLeNet and Inception give more than them in training, Hugging Face's networks always.
    """
    if isinstance(out, dict) and "logits" in out:
        return out["logits"]
    return getattr(out, "logits", out)
