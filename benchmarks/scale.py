"""How much one machine takes: plans, journals and lists of runs that are far larger than usual."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnnlab.gradient_flow.spec import Spec
from dnnlab.registry import find
from dnnlab.runner import plan as planning
from dnnlab.runner import store
from dnnlab.runner.engine import Work, measure
from dnnlab.runner.journal import Entry
from dnnlab.runner.options import every
from dnnlab.runner.place import Place
from dnnlab.runner.run import _begin
from dnnlab.runner.tables import journal_of, write_tables

EXPERIMENT = find("gradient-flow")


def main() -> None:
    """Print a line each."""
    place = Path(tempfile.mkdtemp())
    try:
        _plan()
        _journal(place)
        _runs(place)
        _configurations(place)
    finally:
        shutil.rmtree(place)


def _plan() -> None:
    spec = Spec(act=("relu", "tanh", "gelu", "elu"), depth=(5, 10, 20, 40, 50), init=("he", "xavier"), seeds=250)
    started = time.perf_counter()
    plan = planning.make(EXPERIMENT, spec, "cpu")
    print(f"plan of {len(plan.cells):,} cells: {time.perf_counter() - started:.2f} s (target 2 s)")


def _journal(place: Path) -> None:
    """A million rows: one stack measured, and its rows written for every stack of a large plan."""
    spec = Spec(act=("relu", "tanh", "gelu", "elu"), depth=(50,), width=(4,), init=("he", "xavier"), seeds=2400)
    plan = planning.make(EXPERIMENT, spec, "cpu")
    folder = store.Folder(place / EXPERIMENT.name / "large-0123456789")
    folder.make()
    work = Work(EXPERIMENT, spec, "cpu", Place(folder.path))
    (measured,) = measure(work, plan.stacks[0], (), lambda share: None)
    journal = journal_of(spec, folder, plan)
    rows = 0
    started = time.perf_counter()
    with journal.writing() as writer:
        for stack in plan.stacks:
            own = [i for i, cell in enumerate(measured.rows["cell"]) if cell < len(stack.cells)]
            writer.append(Entry(stack.key, {k: [v[i] for i in own] for k, v in measured.rows.items()}, 1.0))
            rows += len(own)
    written = time.perf_counter() - started
    folder.write_spec(EXPERIMENT.name, every(spec))
    folder.write_provenance(_begin({}, work, plan, "benchmark"))
    started = time.perf_counter()
    write_tables(EXPERIMENT, spec, folder, plan, journal).draw()
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"journal of {rows:,} rows in {len(plan.stacks)} stacks: written with fsync in {written:.1f} s")
    print(f"  summarised, with figures and page, in {took:.1f} s (target 20 s), {peak:.2f} GiB (target 2)")


def _runs(place: Path) -> None:
    first = json.loads((place / EXPERIMENT.name / "large-0123456789" / store.PROVENANCE).read_text())
    small = {**first, "stacks": first["stacks"][:4], "state": "finished"}
    for number in range(1000):
        folder = store.Folder(place / EXPERIMENT.name / f"run{number}-0123456789")
        folder.make()
        folder.write_spec(EXPERIMENT.name, {})
        folder.write_provenance(small)
    command = [sys.executable, "-m", "dnnlab", "runs", "--out", str(place)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(f"{len(done.stdout.splitlines()) - 1:,} runs listed in {time.perf_counter() - started:.2f} s (target 1 s)")


TEN = range(1, 11)
GRIDS = {
    "gradient-flow": ["--init", ",".join(f"normal:0.{number}" for number in TEN)],
    "dead-relu": ["--lr", ",".join(f"0.{number}" for number in TEN), "--steps", "1"],
}
"""Ten values of an option of each experiment. Each configuration of gradient-flow has another theory, which is quick;
of dead-relu each tenth has, which takes some milliseconds a layer."""


def _configurations(place: Path) -> None:
    """Whole commands of one seed each."""
    print("configurations of one seed: before measuring, measuring, after it (target 20 s), in all, memory")
    for experiment, grid in GRIDS.items():
        for count in (100, 1000, 10_000):
            widths = ",".join(map(str, range(4, 4 + count // 50)))
            out = place / f"{experiment}-{count}"
            command = [sys.executable, "-m", "dnnlab", experiment, "--depth", "2,3,4,5,6", "--width", widths, *grid]
            command += ["--seeds", "1", "--quiet", "--out", str(out)]
            started = time.time()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            ended = time.time()
            if status:
                raise SystemExit(f"{experiment} of {count} configurations failed")
            (folder,) = out.glob("*/*")
            # The spec is written just before the first stack, the journal with each stack.
            begun, measured = ((folder / name).stat().st_mtime for name in (store.SPEC, store.JOURNAL))
            parts = (begun - started, measured - begun, ended - measured, ended - started)
            seconds = " ".join(f"{part:6.1f} s" for part in parts)
            print(f"  {experiment:13} {count:6,}: {seconds} {usage.ru_maxrss / 2**20:5.2f} GiB")


if __name__ == "__main__":
    main()
