"""Every check of the house. `nox` runs the default ones; the long ones run by name.

Sessions use the environment that nox runs in (see README.md, second command), so that a check
costs what it checks and not an installation.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests", "docs", "sim", "audit"]
nox.options.error_on_external_run = False

QUICK = "not oracle and not slow and not browser"
# These have a session of their own: they start whole servers and services.
HEAVY = [
    word
    for folder in ("conformance", "simulation", "torture", "docs")
    for word in ("--ignore", f"tests/{folder}")
]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, and the contracts between the rooms."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no other program, and no program of our own beside it."""
    session.run("pytest", "-n", "2", "-m", QUICK, *HEAVY, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Links lead somewhere, generated pages are current, commands and code of the docs run."""
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def tour(session: nox.Session) -> None:
    """Every stage of the tour passes its lessons' checks, and the skeleton fails them."""
    session.run("pytest", "-n", "2", "tests/tour", *session.posargs)


@nox.session
def sim(session: nox.Session) -> None:
    """The whole server on virtual time, with faults: `nox -s sim -- --seeds 10000`."""
    session.run("pytest", "tests/simulation", *session.posargs)


@nox.session
def torture(session: nox.Session) -> None:
    """Real processes killed under load, then an independent look at what is left."""
    session.run("pytest", "tests/torture", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Any bytes at every border, guided by coverage if atheris is there (--group fuzz).

    `nox -s fuzz -- --seconds 300 [target …]`
    """
    session.run("python", "-m", "tests.fuzz.run", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """The official SDKs on our server, and the same scenarios on the official server."""
    session.run("pytest", "tests/conformance", "-m", "not slow", "-rs", *session.posargs)
    session.run("pytest", "-m", "oracle", "--ignore", "tests/conformance", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what is installed; skipped, never passed, where nobody can tell."""
    told = session.run("python", "-m", "tests.audit", silent=True, success_codes=[0, 77])
    session.log(told)
    if "not audited" in str(told):
        session.skip("not audited: there is no vulnerability data here, see above")


@nox.session
def browser(session: nox.Session) -> None:
    """The terminal UI in Chromium, without a window."""
    session.run("pytest", "-m", "browser", "tests/tui", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios against the official server, DBOS and Temporal, in one run (--group bench)."""
    session.run("python", "-m", "tests.benchmarks.run", *session.posargs)


@nox.session
def growth(session: nox.Session) -> None:
    """What a million stored invocations cost, and how soon a killed server is back."""
    session.run("python", "-m", "tests.benchmarks.growth", *session.posargs)


@nox.session
def costs(session: nox.Session) -> None:
    """What single parts cost: the disk and the loopback, storage, transport, SDK, CLI, UI."""
    session.run("python", "-m", "tests.benchmarks.floor")
    for part in ("storage", "transport", "sdk", "cli", "ui"):
        session.run("python", "-m", f"tests.benchmarks.bench_{part}")
