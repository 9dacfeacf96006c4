"""Services are built when their sources changed, and what is missing is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import toolchains
from tests.conformance.oracles import OraclesUnavailableError
from tests.conformance.toolchains import Toolchain


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a language called `words`, apart from the real ones."""
    monkeypatch.setattr(toolchains, "SERVICES", tmp_path / "services")
    monkeypatch.setattr(toolchains, "ORACLES", tmp_path / "oracles")
    folder = tmp_path / "services" / "words"
    folder.mkdir(parents=True)
    (folder / "main").write_text("one")
    return folder


def words(script: str = 'cat main >> "$0"', tool: str = "sh") -> Toolchain:
    """Building appends the source to the program."""
    return Toolchain(
        name="words",
        tools=(tool,),
        build=lambda built: [tool, "-c", script, str(built / "program")],
        start=lambda built: [str(built / "program")],
    )


def test_a_changed_source_is_built_again(sources: Path) -> None:
    """And an unchanged one is not."""
    (program,) = words().program()
    assert words().program() == [program]
    assert Path(program).read_text() == "one"
    (sources / "main").write_text(" two")
    words().program()
    assert Path(program).read_text() == "one two"


def test_a_broken_build_tells_what_the_compiler_said(sources: Path) -> None:
    """And is tried again, since nothing was built."""
    with pytest.raises(OraclesUnavailableError, match="no such thing"):
        words("echo no such thing; exit 1").program()
    (program,) = words().program()
    assert Path(program).read_text() == "one"


def test_a_missing_tool_is_named(sources: Path) -> None:
    """Both where tests are skipped and where a build is asked for all the same."""
    absent = words(tool="no-such-compiler")
    assert words().missing() is None
    assert "no-such-compiler" in str(absent.missing())
    with pytest.raises(OraclesUnavailableError, match="no-such-compiler"):
        absent.program()
