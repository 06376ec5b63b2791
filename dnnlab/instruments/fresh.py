"""Measurements in processes of their own: what one process measures again and again drifts together.

A module that measures so reads its question as JSON from standard input, and writes its answer to standard output.
"""

import json
import subprocess
import sys
from typing import Any

from dnnlab.errors import DnnlabError


def answer_of(module: str, question: Any) -> Any:
    """The answer of ``python -m module`` to a ``question``, both of which JSON can hold.

    Raises:
        DnnlabError: the process failed.
    """
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise DnnlabError(f"the process that takes times failed: {last}.")
    return json.loads(done.stdout)
