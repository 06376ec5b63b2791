"""``dnnlab decompress``: a container as a file of its state dict."""

import importlib.util
from pathlib import Path

from dnnlab import atomic, installation, memory
from dnnlab.compress import container
from dnnlab.errors import UsageError
from dnnlab.networks.weights import NARROWER
from dnnlab.terminal import tell, tell_rows


def unpack(file: Path, to: Path | None) -> None:
    """Write the state dict in the container ``file``, and print the size of each of its tensors beside the bound by its
    entropy.

    Raises:
        UsageError: there is no such file, or nothing can be written.
        DnnlabError: it is no container, or damaged.
    """
    from safetensors.numpy import save

    if importlib.util.find_spec("constriction") is None:
        raise UsageError(f"decompress needs constriction; {installation.command_for('compress')}.")
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is no file; give a .dnnz container.")
    try:
        if file.exists():
            memory.require(file.stat().st_size, str(file))
        content = file.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read {file}: {problem.strerror}.") from None
    contents = container.decode(content, str(file))
    target = to or file.with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise UsageError(f"--to {target} must be a .safetensors file.")
    try:
        # Layers may be narrower, so that --weights of any experiment makes the factory's layers fit.
        atomic.write(target, save(contents.state, metadata={NARROWER: "{}"}))
    except OSError as problem:
        raise UsageError(f"cannot write {target}: {problem.strerror}.") from None
    rows = []
    for layer in contents.layers:
        shape = " × ".join(map(str, layer.shape))
        bits, bound = f"{layer.bits_per_weight:.3f}", f"{layer.bound_per_weight:.3f}"
        rows.append([layer.name, shape, str(layer.nonzeros), str(layer.levels or "–"), bits, bound])
    tell_rows(["tensor", "shape", "non-zeros", "levels", "bits each", "entropy bound"], rows)
    tell(f"{target}: {len(contents.state)} tensors out of {len(content):,} bytes")
