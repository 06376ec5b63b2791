"""``dnnlab runs --rm`` and ``--prune``: what goes is listed before, and nothing goes that a run needs."""

import os
import shutil
import time

import pytest

from dnnlab.runner.journal import Journal
from dnnlab.runner.place import Place
from dnnlab.runner.store import Folder

SUM = ("check", "--statement", "1 + 1 = 2", "--quiet")


@pytest.fixture
def folder(dnnlab, tmp_path):
    assert dnnlab(*SUM).code == 0
    return next((tmp_path / "results" / "check").iterdir())


@pytest.fixture
def old(tmp_path):
    """Puts a file that was last written to a day ago."""

    def put(place, content=b"x" * 1000):
        file = tmp_path / "results" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (time.time() - 86_400,) * 2)
        return file

    return put


def test_a_run_goes_with_consent_alone(folder, dnnlab):
    asked = dnnlab("runs", "--rm", folder.name)
    assert asked.code == 0
    assert folder.name in asked.out
    assert "kB" in asked.out
    assert "nothing was removed; --yes removes" in asked.err
    assert folder.exists()
    assert dnnlab("runs", "--rm", folder.name, "--yes").code == 0
    assert not folder.parent.exists()


def test_a_run_that_is_measured_stays(folder, dnnlab):
    with Journal(folder / "journal.jsonl").writing():
        done = dnnlab("runs", "--rm", folder.name, "--yes")
    assert done.code == 2
    assert "is being measured; stop that first" in done.err
    assert folder.exists()


def test_a_run_stays_whose_files_another_starts_from(folder, dnnlab, tmp_path):
    other = tmp_path / "results" / "compare-arch" / "other-0123456789"
    other.mkdir(parents=True)
    network = f"results/check/{folder.name}/artifacts/net.toml"
    (other / "spec.toml").write_text(f'experiment = "compare-arch"\n[options]\narch = ["{network}"]\n')
    done = dnnlab("runs", "--rm", folder.name, "--yes")
    assert done.code == 2
    assert "starts from files of" in done.err
    assert folder.exists()
    assert dnnlab("runs", "--rm", other.name, folder.name, "--yes").code == 0  # both
    assert not folder.exists()


def test_pruning_takes_what_no_run_needs_and_nothing_else(folder, dnnlab, old, tmp_path):
    needed, unused = old("checkpoints/aa.safetensors"), old("checkpoints/bb.safetensors")
    Place(folder).uses(needed)
    left = [old("checkpoints/cc.lock"), old(f"check/{folder.name}/.cells.csv.99.tmp"), old("check/.gone.removed/x")]
    fresh = folder / ".summary.csv.98.tmp"  # somebody may be writing it
    fresh.write_text("x")
    before = dnnlab("show", folder.name).out
    listed = dnnlab("runs", "--prune")
    assert all(file.exists() for file in (*left, unused))
    assert "a checkpoint that no run starts from" in listed.out
    assert "aa.safetensors" not in listed.out
    assert dnnlab("runs", "--prune", "--yes").code == 0
    assert not any(file.exists() for file in (*left, unused))
    assert needed.exists()
    assert fresh.exists()
    assert dnnlab("show", folder.name).out == before
    assert "nothing to remove" in dnnlab("runs", "--prune", "--yes").err
    assert dnnlab("runs", "--rm", folder.name, "--prune", "--yes").code == 0  # nobody needs it any more
    assert dnnlab("runs", "--prune", "--yes").code == 0
    assert not list((tmp_path / "results" / "checkpoints").glob("*"))


def test_a_checkpoint_that_is_being_trained_stays(dnnlab, old, tmp_path):
    from dnnlab import atomic

    file = old("checkpoints/aa.safetensors")
    with atomic.locked(file.with_suffix(".lock")):
        assert "nothing to remove" in dnnlab("runs", "--prune", "--yes").err
    assert dnnlab("runs", "--prune", "--yes").code == 0
    assert not file.exists()


@pytest.mark.parametrize("arguments", [("nonsense",), ("--rm",), ("--rm", "nonsense", "--yes"), ("x", "--prune")])
def test_what_is_not_meant_removes_nothing(folder, dnnlab, arguments):
    done = dnnlab("runs", *arguments)
    assert done.code == 2
    assert done.err.startswith("dnnlab: ")
    assert folder.exists()


def test_a_published_ledger_is_no_run(dnnlab, tmp_path):
    reference = tmp_path / "results" / "reference" / "cpu-quick"
    reference.mkdir(parents=True)
    (reference / "provenance.json").write_text('{"versions": {}}')
    done = dnnlab("runs")
    assert done.code == 0
    assert done.out == ""
    assert "no runs under results yet" in done.err


def test_a_run_stays_that_another_names_from_elsewhere(folder, dnnlab, tmp_path):
    """A relative path counts from where the other run was started."""
    other = Folder(tmp_path / "results" / "compare-arch" / "other-0123456789")
    other.make()
    (other.path / "journal.jsonl").write_text("")
    record = Folder(folder).read_provenance()
    other.write_provenance(record | {"options": {"arch": ["net.toml"]}, "cwd": str(folder / "artifacts")})
    assert "starts from files of" in dnnlab("runs", "--rm", folder.name, "--yes").err
    assert folder.exists()


def test_nothing_outside_the_root_is_removed(folder, dnnlab, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "spec.toml").write_text("")
    (thesis / "thesis.tex").write_text("all of it")
    shutil.copytree(folder, tmp_path / "elsewhere" / "check" / folder.name)
    (tmp_path / "results" / "check" / "linked-0123456789").symlink_to(thesis)
    outside = (thesis, "thesis", "thesis/spec.toml", "../thesis", f"elsewhere/check/{folder.name}", "linked-0123456789")
    no_run = ("results", "results/check", ".", "..", "", "/", f"{folder.name}/figures", "x" * 5000)
    for name in (*outside, *no_run):
        done = dnnlab("runs", "--rm", name, "--yes")
        assert done.code == 2, name
        assert len(done.err) < 500
    assert (thesis / "thesis.tex").read_text() == "all of it"
    assert (tmp_path / "elsewhere" / "check" / folder.name).exists()
    assert folder.exists()
    done = dnnlab("runs", "--rm", folder.name, folder, f"{folder}/spec.toml")  # one run, however it is named
    assert len(done.out.splitlines()) == 2


def test_pruning_follows_no_link_and_takes_no_file_of_others(folder, dnnlab, old, tmp_path):
    away = tmp_path / "away"
    for name in (".a.5.tmp", ".d.removed/x", "exp/.b.5.tmp", "exp/sub/.c.5.tmp", "net.safetensors"):
        (away / name).parent.mkdir(parents=True, exist_ok=True)
        (away / name).write_text("mine")
        os.utime(away / name, (0, 0))
    kept = [
        old("checkpoints/notes.txt"),
        old("checkpoints/below/x.safetensors"),
        old(".mine.tmp"),
        old("check/.x.5.tmp2"),
    ]
    (tmp_path / "results" / "linked").symlink_to(away)
    (tmp_path / "results" / ".gone.removed").symlink_to(away)
    (tmp_path / "results" / "checkpoints" / "linked.safetensors").symlink_to(away / "net.safetensors")
    assert "nothing to remove" in dnnlab("runs", "--prune", "--yes").err
    assert all(file.exists() for file in kept)
    assert len([file for file in away.rglob("*") if file.is_file()]) == 5


def test_a_journal_that_is_a_link_costs_nobody_a_file(folder, dnnlab, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("no line")
    (folder / "journal.jsonl").unlink()
    (folder / "journal.jsonl").symlink_to(mine)
    (folder / "summary.csv").unlink()
    assert "put the journal itself there" in dnnlab(*SUM).err
    assert dnnlab("runs", "--rm", folder.name, "--yes").code == 0
    assert mine.read_text() == "no line"
