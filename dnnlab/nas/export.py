"""Writes the network that a search ended in as files: its description, its weights, and ONNX where that is
installed."""

import importlib.util
import logging
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab import atomic
from dnnlab.networks.spaces import NetworkDescription
from dnnlab.networks.spaces.space import Choices
from dnnlab.runner.place import Place
from dnnlab.runner.store import slug

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.nas.evaluator import Evaluator, Training
    from dnnlab.nas.search.plan import Cell
    from dnnlab.networks.spaces.space import Code


def write_toml(place: Place, name: str, space: str, choices: Choices, comment: str) -> Path:
    """Write ``artifacts/NAME.toml``, which ``compare-arch --arch`` and ``create_model`` take."""
    place.artifacts.mkdir(parents=True, exist_ok=True)
    file = place.artifacts / f"{name}.toml"
    atomic.write(file, NetworkDescription(space, choices).toml(comment).encode())
    return file


def name_of(strategy: str, seed: int, data: str, among: Sequence[str]) -> str:
    """The file name of the network that a search ended in, without its ending; it contains the ``data`` set where there
    are several ``among`` which it is."""
    search = f"{strategy.replace(':', '-')}-seed{seed}"
    if len(among) < 2:
        return search
    slugs = [slug({"data": each}) for each in among]
    number = among.index(data)
    # Names that are long, or differ in signs alone, may become one.
    alike = f"-{number + 1}" if slugs.count(slugs[number]) > 1 else ""
    return f"{slugs[number]}{alike}-{search}"


def write_network(evaluator: "Evaluator", cell: "Cell", code: "Code", training: "Training", best: bool) -> None:
    """Write the network of one search: the description of its ``code``, and the weights of its first retraining; of the
    ``best`` search of a seed also an ONNX file, which takes seconds."""
    from safetensors.torch import save

    comment = f"Found by dnnlab nas: {cell.strategy}, seed {cell.seed}, on {evaluator.data.name}."
    name = name_of(cell.strategy, cell.seed, cell.data, evaluator.spec.data)
    file = write_toml(evaluator.place, name, evaluator.spec.space, evaluator.space.choices(code), comment)
    model = evaluator.trained_model(training)
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    atomic.write(file.with_suffix(".safetensors"), save(state))
    if best and all(importlib.util.find_spec(library) for library in ("onnx", "onnxscript")):
        _write_onnx(evaluator, model, file.with_suffix(".onnx"))


def _write_onnx(evaluator: "Evaluator", model: "nn.Module", file: Path) -> None:
    """Write the ONNX file of the network in evaluation mode, for batches of any size."""
    import torch

    if importlib.util.find_spec("tqdm"):  # some exporters use it, and its lock would outlive a worker that is stopped
        from tqdm import tqdm

        tqdm.set_lock(threading.RLock())
    on, x = next(model.parameters()).device, evaluator.data.inputs(evaluator.data.train[:2]).cpu()
    part = file.with_suffix(".part")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter itself causes these warnings
            batch = torch.export.Dim("batch")
            torch.onnx.export(
                model.cpu().eval(),
                (x,),
                part,
                input_names=["x"],
                output_names=["logits"],
                dynamic_shapes=({0: batch},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        model.to(on)
    atomic.write(file, part.read_bytes())
    part.unlink()
