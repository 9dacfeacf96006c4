"""What the engine does, as text: see script.py for the language, scripts/*.txt for the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtour.engine import waiting

from .script import Script

SCRIPTS = sorted(Path(__file__).with_name("scripts").glob("*.txt"))


def played(text: str) -> str:
    """The script with what really happened under each `----`."""
    script = Script()
    return "\n\n".join(_block(script, block) for block in text.strip().split("\n\n")) + "\n"


def _block(script: Script, block: str) -> str:
    lines = block.partition("\n----")[0].splitlines()
    done = [text for line in lines if line[0] != "#" for text in script.perform(line)]
    return "\n".join([*lines, "----", *done] if done else lines)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_engine_does_what_the_script_says(
    path: Path, rewrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every decision of the script is the one written down."""
    monkeypatch.setattr(waiting, "TOLD_AT_ONCE", 2)
    text = path.read_text()
    happened = played(text)
    if rewrite:
        path.write_text(happened)
    assert rewrite or happened == text, "run pytest --rewrite tests/engine and review the diff"
