"""`rtour completions`: scripts that ask `rtour` itself what fits."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtour.cli.diagnostics import Misuse
from rtour.cli.output import Column, item
from rtour.cli.session import Session, session_of
from rtour.cli.tree import noun, verb

app = noun("Shell completion of commands, options, ids, services, handlers and keys.")


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


SCRIPTS = {
    Shell.BASH: """\
_rtour_complete() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        _RTOUR_COMPLETE=complete_bash rtour 2>/dev/null))
}
complete -o nosort -F _rtour_complete rtour
""",
    Shell.ZSH: """\
#compdef rtour
_rtour_complete() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _RTOUR_COMPLETE=complete_zsh \\
        rtour 2>/dev/null)"
}
compdef _rtour_complete rtour
""",
    Shell.FISH: """\
function _rtour_complete
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -lx _TYPER_COMPLETE_FISH_ACTION $argv[1]
    _RTOUR_COMPLETE=complete_fish rtour 2>/dev/null
end
complete -c rtour --no-files -a '(_rtour_complete get-args)' -n '_rtour_complete is-args'
""",
}
# Where each shell looks by itself; zsh needs a line of the user's.
PLACES = {
    Shell.BASH: (".local/share/bash-completion/completions/rtour", ""),
    Shell.ZSH: (
        ".zfunc/_rtour",
        "add to ~/.zshrc: fpath+=~/.zfunc; autoload -U compinit; compinit",
    ),
    Shell.FISH: (".config/fish/completions/rtour.fish", ""),
}

ShellName = Annotated[Shell | None, typer.Argument(metavar="[bash|zsh|fish]")]


@verb(app, "generate", 'rtour completions generate bash\neval "$(rtour completions generate zsh)"')
def generate(ctx: typer.Context, shell: ShellName = None) -> None:
    """Prints the completion script of your shell."""
    session = session_of(ctx)
    session.emit(SCRIPTS[_shell(session, shell)])


@verb(app, "install", "rtour completions install\nrtour completions install fish")
def install(ctx: typer.Context, shell: ShellName = None) -> None:
    """Puts the completion script where your shell looks for it."""
    session = session_of(ctx)
    chosen = _shell(session, shell)
    place, more = PLACES[chosen]
    path = Path(session.world.env.get("HOME") or Path.home()) / place
    session.confirm(f"Write {path}?")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPTS[chosen], "utf-8")
    record = {"shell": chosen.value, "file": str(path)}
    session.emit(item(session.look, [Column("shell", "SHELL"), Column("file", "FILE")], record))
    session.note(more or "open a new terminal to use it")


def _shell(session: Session, given: Shell | None) -> Shell:
    if given is not None:
        return given
    name = Path(session.world.env.get("SHELL", "")).name
    if name not in list(Shell):
        raise Misuse(
            f"no completion for '{name}'" if name else "which shell?",
            expected=", ".join(Shell),
        )
    return Shell(name)
