"""How the help of a command reads: examples first, then what it does, then its words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

VALUE_WORDS: dict[Any, str] = {int: "N", float: "NUMBER", Path: "PATH"}


def _metavar(param: Any) -> str:
    """What stands for a parameter's value: its own word, its choices, or its type."""
    choices = param.type_descriptor.choices
    word = param.metavar or ("|".join(str(each.value) for each in choices) if choices else None)
    if word is None and param.param_type_name == "argument":
        word = str(param.name).upper()
    word = word or VALUE_WORDS.get(param.type_descriptor.annotation, "TEXT")
    return (
        word if param.required or word.startswith("[") or param.opts[0][0] == "-" else f"[{word}]"
    )


def _names(param: Any) -> str:
    names = ", ".join(sorted(param.opts, key=len))
    return names if param.is_flag else f"{names} {_metavar(param)}"


def _meaning(param: Any) -> str:
    default = param.default
    shown = default not in (None, False) and not param.is_flag
    if not shown:
        return str(param.help or "")
    text = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{param.help or ''} [default: {text}]".strip()


def first_sentence(text: str | None) -> str:
    return (text or "").split("\n\n", 1)[0].replace("\n", " ")


class Helpful:
    """Help in the order in which people read: examples, what it does, the rest."""

    epilog: str | None
    help: str | None
    params: list[Any]
    # Options that every command has are told once, on the front page.
    unlisted: frozenset[str]

    def write_help(self, ctx: typer.Context, formatter: Any, commands: Sequence[Any] = ()) -> None:
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip().splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")
        if self.help:
            formatter.write("\n")
            formatter.write_text(self.help.split("\f", 1)[0])
        formatter.write("\n")
        arguments = [each for each in self.params if each.param_type_name == "argument"]
        options = [
            each
            for each in self.params
            if each.param_type_name == "option"
            and each.name not in self.unlisted
            and not each.hidden
        ]
        pieces = ["[OPTIONS]", *(_metavar(each) for each in arguments)]
        pieces += ["COMMAND [ARGS]..."] if commands else []
        formatter.write_usage(ctx.command_path, " ".join(pieces))
        explained = [(_metavar(each), each.help) for each in arguments if each.help]
        named = [(_names(each), _meaning(each)) for each in options]
        for title, records in (("Arguments", explained), ("Options", named)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        if commands:
            with formatter.section("Commands"):
                formatter.write_dl([(each.name, first_sentence(each.help)) for each in commands])
        formatter.write("\nOptions of every command (-o, -e, -y, --columns …): rtour --help\n")
