"""``dnnlab check`` as a user meets it."""

import json
import subprocess
import sys

import dnnlab as package


def test_statements_with_commas_are_whole_and_get_verdicts(dnnlab):
    done = dnnlab("check", "--statement", "slope(relu, 2) = 1", "--statement", "2.5^20 = 9.09e8", "--json")
    assert done.code == 0
    rows = json.loads(done.out)["summary"]
    assert [(row["statement"], row["verdict"]) for row in rows] == [
        ("slope(relu, 2) = 1", "holds"),
        ("2.5^20 = 9.09e8", "refuted"),
    ]
    assert rows[1]["derivation"] == "2.5^20 = 9.094947e+07"


def test_expect_makes_it_a_check_for_ci(dnnlab):
    assert dnnlab("check", "--statement", "1 + 1 = 2", "--expect", "holds").code == 0
    assert dnnlab("check", "--statement", "1 + 1 = 3", "--expect", "holds").code == 1


def test_what_is_too_close_is_not_decided_and_said_so(dnnlab):
    close = "sqrt(2)^2 <= 2 is not decided: sqrt(2)^2 = 1.4142135623730951^2 = 2.0000000000000004; its"
    for more in ([], ["--statement", "1 + 1 = 2"]):
        done = dnnlab("check", "--statement", "sqrt(2)^2 <= 2", *more)
        assert close in " ".join(done.out.split())
        assert "undecided" in done.out


def test_what_does_not_read_is_refused(dnnlab):
    for text in ("1 +", "params(resnet51) = 1", ""):
        done = dnnlab("check", "--statement", text)
        assert done.code == 2, done.err
    assert "nothing to check" in dnnlab("check").err


def test_from_python(tmp_path):
    run = package.check(statement="1/3 = 0.333", out=tmp_path, quiet=True)
    assert list(run.summary["verdict"]) == ["holds"]


def test_mere_arithmetic_needs_no_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['dnnlab', *sys.argv[1:]]\nfrom dnnlab.__main__ import _run\n"
        "print(_run())\nprint([m for m in ('torch', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "check", "--out", str(tmp_path), "--statement"]
    for statement, imported in (("0.25^20 = 9.09e-13", "[]"), ("depth(resnet20) = 20", "['torch', 'scipy']")):
        done = subprocess.run([*command, statement], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-2:] == ["0", imported]
        assert "holds" in done.stdout
    machines = [json.loads(file.read_text())["machine"] for file in tmp_path.glob("check/*/provenance.json")]
    assert sorted("threads" in machine for machine in machines) == [False, True]  # how PyTorch computes, where it does
