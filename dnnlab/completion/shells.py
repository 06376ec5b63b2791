"""What the shells run when Tab is pressed, and how they come to know of it.

Typer's own scripts are not used: bash's knows nothing of words with a colon, and zsh's evaluates what the program
prints, names of files included.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from dnnlab import atomic
from dnnlab.errors import UsageError, listing, unknown

# The exit codes are those of `completion.answer`. The program is told by bash which part of the word it will replace:
# "$2". A blank is put behind a candidate unless more must follow.
_BASH = r"""
_dnnlab_completion() {
    local answer line
    COMPREPLY=()
    answer=$(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" _DNNLAB_COMPLETE=complete_bash \
        "${1/#\~\//$HOME/}" "$2" 2>/dev/null)
    case $? in
        0) compopt +o default 2>/dev/null ;;
        3) return ;;
        *) compopt +o default 2>/dev/null; return ;;
    esac
    while IFS= read -r line; do COMPREPLY+=("$line"); done <<< "$answer"
    [[ $answer == *[:=/] ]] && compopt -o nospace 2>/dev/null
}
complete -o default -F _dnnlab_completion dnnlab
"""
_ZSH = r"""
#compdef dnnlab
(( $+functions[compdef] )) || { autoload -Uz compinit; compinit -i }
_dnnlab_completion() {
    local answer
    local -a found
    answer=$(_DNNLAB_COMPLETE=complete_zsh "${words[1]/#\~\//$HOME/}" \
        "${(@)words[1,CURRENT-1]}" "$QIPREFIX$PREFIX" 2>/dev/null)
    case $? in
        0) ;;
        3) _files; return ;;
        *) return 1 ;;
    esac
    found=("${(@f)answer}")
    compadd -S '' -- "${(@M)found:#*[:=/]}"
    compadd -- "${(@)found:#*[:=/]}"
    return 0
}
compdef _dnnlab_completion dnnlab
"""
_FISH = r"""
function _dnnlab_completion
    set -l words (commandline -opc)
    set -l typed (commandline -ct | string unescape)
    _DNNLAB_COMPLETE=complete_fish $words[1] $words "$typed" 2>/dev/null
    if test $status -eq 3
        complete -C "'' "(commandline -ct)
    end
end
complete --command dnnlab --no-files --arguments '(_dnnlab_completion)'
"""
SCRIPTS: Mapping[str, str] = {name: text.strip() for name, text in (("bash", _BASH), ("zsh", _ZSH), ("fish", _FISH))}


def shell_of(option: str) -> str:
    """The shell that is named after ``option``, else the one that dnnlab was called from.

    Raises:
        UsageError: it is none that can complete, or cannot be told.
    """
    import shellingham

    named = sys.argv[sys.argv.index(option) + 1 :] if option in sys.argv else []
    try:
        name = named[0] if named else shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        raise UsageError(f"cannot tell which shell this is; write {option} and {listing(SCRIPTS)}.") from None
    if name not in SCRIPTS:
        raise unknown("shell", name, SCRIPTS)
    return name


def install(shell: str) -> Path:
    """Write the script of ``shell`` into the user's home, have the shell read it when it starts, and give its path."""
    home = Path.home()
    if shell == "fish":  # fish reads all files in this folder by itself
        file = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "dnnlab.fish"
        _write(file, SCRIPTS[shell])
        return file
    file = platformdirs.user_data_path("dnnlab") / f"completion.{shell}"
    _write(file, SCRIPTS[shell])
    start = home / ".bashrc" if shell == "bash" else Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    line = f"source {shlex.quote(str(file))}"
    before = start.read_bytes() if start.exists() else b""
    if line.encode() not in before.splitlines():
        with start.open("ab") as stream:
            stream.write(("\n" * (before[-1:] not in (b"", b"\n")) + line + "\n").encode())
    return file


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, f"{text}\n".encode())
