"""README.md: its commands are two, its service runs, its links lead somewhere."""

from __future__ import annotations

import re
import types
from pathlib import Path

import pytest

import rtour

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_there_are_two_set_up_commands() -> None:
    """One command runs the main job, one passes the tests, on a fresh machine."""
    commands = re.findall(r"^```sh\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    assert all("\n" not in command for command in commands)
    assert commands[0].endswith("rtour tour")
    assert commands[1].endswith("nox")


async def test_the_first_service_greets() -> None:
    """The service of the README, on a real server, answers what the README says."""
    [code] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    module = types.ModuleType("greeter")
    exec(compile(code, "README.md", "exec", dont_inherit=True), module.__dict__)
    async with rtour.create_test_harness(module.app) as harness:
        answer = await harness.client.service_call(module.greet, arg="Ada")
    assert answer == "Hello Ada!"
    assert '"Hello Ada!"' in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file that is there."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose)
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
