"""What dnnlab says about hundreds of published networks, against an oracle: `python -m tests.zoo [--all] [NAME …]`.

Each network is checked in a process of its own, with a time limit. A journal keeps what was found, so that a run that
was stopped goes on where it was. It counts for one version of dnnlab, of the oracle and of the libraries. The table is
printed, and written beside the journal as ``networks.csv``.
"""

import argparse
import csv
import hashlib
import importlib.metadata
import json
import multiprocessing
import multiprocessing.connection
import os
import resource
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import torch

from tests.zoo import members
from tests.zoo.check import CHECKS, REFUSED, RIGHT, UNKNOWN, UNTOLD, WRONG, check

HERE = Path(__file__).parent
LARGEST = 30_000_000
"""Parameters of the networks of timm that ``--all`` takes."""
SECONDS, MEMORY = 600, 12 * 2**30
"""What one network may take."""
FAILED = "not checked"


def version() -> str:
    """The digest of all that decides a result."""
    digest = hashlib.sha256()
    sources = [*HERE.glob("*.py"), *(HERE.parent.parent / "dnnlab").glob("**/*.py")]
    for path in sorted(sources):
        digest.update(path.read_bytes())
    for library in ("torch", "torchvision", "timm", "transformers"):
        digest.update(importlib.metadata.version(library).encode())
    return digest.hexdigest()[:16]


class Journal:
    """Lines of JSON, each a network's result; a line that was cut short is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines: dict[str, dict] = {}
        kept = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        for line in kept:
            if line.endswith(b"\n"):
                entry = json.loads(line)
                self.lines[entry["network"]] = entry
        if kept and not kept[-1].endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n") if _whole(kept[-1]) else file.truncate(sum(map(len, kept[:-1])))

    def add(self, entry: dict) -> None:
        self.lines[entry["network"]] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def work(task, name: str, sender) -> None:
    """In a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            sender.send(task(name))
        except BaseException as problem:  # noqa: BLE001 - it is what the table tells
            where = traceback.extract_tb(problem.__traceback__)[-1]
            sender.send({"failed": f"{type(problem).__name__}: {problem} ({where.filename}:{where.lineno})"[:600]})


def each(task, names: list[str], workers: int, seconds: float):
    """Yields ``(name, what the task gave)`` in the order in which they end."""
    context = multiprocessing.get_context("fork")
    waiting, running = list(reversed(names)), {}
    while waiting or running:
        while waiting and len(running) < workers:
            name = waiting.pop()
            receiver, sender = context.Pipe(False)
            process = context.Process(target=work, args=(task, name, sender), daemon=True)
            process.start()
            sender.close()
            running[receiver] = (name, process, time.monotonic() + seconds)
        ready = multiprocessing.connection.wait(list(running), 0.5)
        for receiver, (name, process, end) in list(running.items()):
            if receiver in ready:
                try:
                    told = receiver.recv()
                except EOFError:
                    told = {"failed": "the process ended, as when the memory is full"}
            elif time.monotonic() > end:
                process.kill()
                told = {"failed": f"took more than {seconds:g} seconds"}
            else:
                continue
            process.join()
            del running[receiver]
            yield name, told


def checked(name: str) -> dict:
    return check(name).line()


def sized(name: str) -> dict:
    return {"network": name, "parameters": members.parameters(name)}


def sizes(folder: Path, workers: int) -> dict[str, int]:
    """How many parameters each network of timm has, where its code tells."""
    import timm

    journal = Journal(folder / f"sizes-{timm.__version__}.jsonl")
    missing = [name for name in members.timm_names() if name not in journal.lines]
    for name, told in each(sized, missing, workers, 60):
        journal.add({"network": name, "parameters": told.get("parameters"), "failed": told.get("failed")})
    return {name: entry["parameters"] for name, entry in journal.lines.items() if entry["parameters"]}


def chosen(everything: bool, folder: Path, workers: int) -> list[str]:
    """The names of the networks of a run, the small ones of timm first."""
    found = sizes(folder, workers)
    families = members.timm_names()
    ordered = sorted((name for name in found if name in families), key=lambda name: (found[name], name))
    smallest: dict[str, str] = {}
    for name in ordered:
        smallest.setdefault(families[name], name)
    names = [*members.transformers_names(), *members.torchvision_names(), *smallest.values()]
    if everything:
        names += [name for name in ordered if found[name] <= LARGEST]
    return list(dict.fromkeys(names))


def write(lines: list[dict], path: Path) -> None:
    """Writes what was found as a table, a row for each network."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "input", "parameters", "number_of_layers", *CHECKS, "why"])
        for line in lines:
            verdicts = verdicts_of(line)
            told = [f"{c}: {verdicts[c]['why']}" for c in CHECKS if verdicts[c]["verdict"] != RIGHT]
            known = [line.get(name, "") for name in ("input", "parameters", "layers")]
            writer.writerow([line["network"], *known, *(verdicts[c]["verdict"] for c in CHECKS), " | ".join(told)])


def verdicts_of(line: dict) -> dict[str, dict[str, str]]:
    """The verdict and its reason by check, also where nothing could be checked."""
    return line.get("verdicts") or {c: {"verdict": FAILED, "why": line["failed"]} for c in CHECKS}


def table(lines: list[dict]) -> bool:
    """Prints what was found, and says whether nothing is wrong."""
    width = max(len(line["network"]) for line in lines)
    print(
        f"{'network':{width}}  {'input':>11} {'parameters':>12} {'layers':>6}  " + "  ".join(f"{c:9}" for c in CHECKS)
    )
    totals = {c: Counter() for c in CHECKS}
    for line in lines:
        verdicts = verdicts_of(line)
        cells = "  ".join(f"{verdicts[c]['verdict']:9}" for c in CHECKS)
        print(
            f"{line['network']:{width}}  {line.get('input', ''):>11} {line.get('parameters', 0):>12,} "
            f"{line.get('layers', 0):>6}  {cells}"
        )
        told = set()
        for c in CHECKS:
            totals[c][verdicts[c]["verdict"]] += 1
            why = verdicts[c]["why"]
            if verdicts[c]["verdict"] != RIGHT and why not in told:
                told.add(why)
                print(f"    {c}: {why}")
    print()
    for c in CHECKS:
        counts = ", ".join(f"{totals[c][v]} {v}" for v in (RIGHT, WRONG, UNKNOWN, UNTOLD, REFUSED, FAILED))
        print(f"{c:8} of {len(lines)} networks: {counts}")
    return not any(totals[c][v] for c in CHECKS for v in (WRONG, FAILED))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="networks, such as timm:resnet18; otherwise one of each family")
    parser.add_argument("--all", action="store_true", help=f"all of timm up to {LARGEST:,} parameters")
    parser.add_argument("--folder", type=Path, default=Path("results/zoo"), help="where the journal is")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="check again what the journal has")
    options = parser.parse_args()
    torch.set_num_threads(1)
    members.preload()
    names = options.names or chosen(options.all, options.folder, options.workers)
    journal = Journal(options.folder / f"{version()}.jsonl")
    missing = [name for name in names if options.again or name not in journal.lines]
    print(f"{len(names)} networks, {len(names) - len(missing)} of them already in {journal.path}", file=sys.stderr)
    for done, (name, told) in enumerate(each(checked, missing, options.workers, SECONDS), start=1):
        journal.add({"network": name} | told)
        verdicts = {v["verdict"] for v in told.get("verdicts", {}).values()} or {FAILED}
        print(f"{done}/{len(missing)} {name}: {', '.join(sorted(verdicts))}", file=sys.stderr)
    lines = [journal.lines[name] for name in names]
    write(lines, options.folder / "networks.csv")
    return 0 if table(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
