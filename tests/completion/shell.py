"""A shell behind a terminal of its own, at which keys are pressed."""

import os
import pty
import select
import shlex
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

LIMIT = 60.0
"""Seconds after which a shell that does not answer has failed; it takes a fraction of one."""
START = {
    "bash": """
PS1='ready> '
bind 'set completion-query-items 0'
bind 'set enable-bracketed-paste off'
seen() { printf '%s' "$READLINE_LINE" > "$HOME/line"; mv "$HOME/line" "$HOME/seen"; READLINE_LINE=; READLINE_POINT=0; }
bind -x '"\\C-g": seen'
""",
    "zsh": """
PS1='ready> '
setopt no_list_beep
seen() { print -rn -- "$BUFFER" > "$HOME/line"; mv "$HOME/line" "$HOME/seen"; BUFFER=; }
zle -N seen
bindkey '^G' seen
""",
}
"""Ctrl-G has the line written to a file, and empties it."""
FILES = {"bash": ".bashrc", "zsh": ".zshrc"}
COMMANDS = {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-i"]}


class Shell:
    """An interactive shell in ``folder``, with ``dnnlab`` on its path and ``more`` read when it starts; ``command``
    is what ``dnnlab`` runs."""

    def __init__(self, name: str, home: Path, folder: Path, more: str, command: Sequence[str]) -> None:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        self.home = home
        program = home / "bin" / "dnnlab"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        program.chmod(0o755)
        start = home / FILES[name]
        before = start.read_text() if start.exists() else ""
        start.write_text(f"{before}\n{more}\n{START[name]}")
        environment = {k: v for k, v in os.environ.items() if k not in ("ZDOTDIR", "XDG_DATA_HOME", "INPUTRC")}
        environment |= {"HOME": str(home), "TERM": "dumb", "PATH": f"{program.parent}:{os.environ['PATH']}"}
        environment |= {"LC_ALL": "C.UTF-8", "HISTFILE": "", "SHELL": name}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(name, COMMANDS[name], environment)
        self.shown = ""
        self._wait(lambda: "ready> " in self.shown)

    def press(self, keys: str) -> str:
        """The line after ``keys``; ``\\t`` is Tab."""
        seen = self.home / "seen"
        seen.unlink(missing_ok=True)
        self.shown = ""
        os.write(self.terminal, f"{keys}\x07".encode())
        self._wait(seen.exists)
        return seen.read_text()

    def _wait(self, done) -> None:
        end = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < end, f"the shell does not answer: {self.shown!r}"
            if select.select([self.terminal], [], [], 0.05)[0]:
                self.shown += os.read(self.terminal, 4096).decode(errors="replace")

    def close(self) -> None:
        """End the shell."""
        os.kill(self.pid, signal.SIGKILL)  # it may be deaf to the others
        os.close(self.terminal)
        os.waitpid(self.pid, 0)
