"""Writes the picture of the README, from three networks of ``dnnlab demo``: ``python -m docs.make_picture``."""

import tempfile
from pathlib import Path

import dnnlab
from dnnlab.gradient_flow import figures
from dnnlab.report.figures import save
from dnnlab.reproduce import shipped
from dnnlab.runner.recipe import read

STEM = Path(__file__).with_name("images") / "gradient-by-layer"
SHOWN = (("sigmoid", "torch", "none"), ("sigmoid", "critical", "none"), ("relu", "torch", "batch"))
"""Activation, initialisation and normalisation: what the lecture warns of, and two ways out."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        recipe = read(shipped.folder() / shipped.DEMO)
        run = dnnlab.gradient_flow(**recipe.options, out=folder, quiet=True)
        told = [tuple(each) in SHOWN for each in run.summary[["act", "init", "norm"]].itertuples(index=False)]
        cells = [tuple(each) in SHOWN for each in run.cells[["act", "init", "norm"]].itertuples(index=False)]
        picture, *_ = figures.draw(run.cells[cells], run.summary[told], run.spec)
        svg, _ = save(picture.figure, STEM)
        svg.unlink()  # documents show the PNG


if __name__ == "__main__":
    main()
