"""Every check of the house. `nox` runs the default ones; the long ones run by name.

Sessions use the environment that nox runs in (see README.md, second command), so that a check
costs what it checks and not an installation.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_external_run = False


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
    """Everything that needs no other program: unit, protocol, engine, storage, server, CLI."""
    session.run("pytest", "-m", "not oracle and not slow", *session.posargs)


@nox.session
def sim(session: nox.Session) -> None:
    """The whole server on virtual time, with faults: `nox -s sim -- --seeds 10000`."""
    session.run("pytest", "tests/simulation", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """The official SDKs on our server, and the same scenarios on the official server."""
    session.run("pytest", "-m", "oracle", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios against the official server, in one run."""
    session.run("python", "-m", "tests.benchmarks.run", *session.posargs)
