"""``dnnlab decompress``: a container as the state dict that it holds."""

import importlib.util
from pathlib import Path

from dnnlab import atomic, memory
from dnnlab.compress import container
from dnnlab.errors import UsageError
from dnnlab.terminal import tell, tell_rows


def unpack(file: Path, to: Path | None) -> None:
    """Write the state dict in ``file``, and print what each of its tensors takes beside the bound of its entropy.

    Raises:
        UsageError: there is no such file, or nothing can be written.
        DnnlabError: it is no container, or damaged.
    """
    from safetensors.numpy import save

    if importlib.util.find_spec("constriction") is None:
        raise UsageError("decompress needs constriction; pip install 'dnnlab[compress]'.")
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is no file; give a .dnnz container.")
    try:
        if file.exists():
            memory.require(file.stat().st_size, str(file))
        content = file.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read {file}: {problem.strerror}.") from None
    found = container.decode(content, str(file))
    target = to or file.with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise UsageError(f"--to {target} must be a .safetensors file.")
    try:
        atomic.write(target, save(found.state))
    except OSError as problem:
        raise UsageError(f"cannot write {target}: {problem.strerror}.") from None
    rows = []
    for layer in found.layers:
        shape = " × ".join(map(str, layer.shape))
        bits, bound = f"{layer.bits_per_weight:.3f}", f"{layer.bound_per_weight:.3f}"
        rows.append([layer.name, shape, str(layer.nonzeros), str(layer.levels or "–"), bits, bound])
    tell_rows(["tensor", "shape", "non-zeros", "levels", "bits each", "entropy bound"], rows)
    tell(f"{target}: {len(found.state)} tensors out of {len(content):,} bytes")
