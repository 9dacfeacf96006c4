"""The `rtour` command line. This module imports nothing but `sys`: see `rtour.cli.frontpage`."""

import sys


def main() -> None:
    """Entry point: the front page costs no imports, everything else is loaded when asked for."""
    from rtour.cli import frontpage  # noqa: PLC0415 - kept out of `import rtour.cli`

    if frontpage.answers(sys.argv[1:]):
        return
    if sys.argv[1:2] == ["server"]:
        from rtour.cli import foreground  # noqa: PLC0415

        flags = foreground.plain_flags(sys.argv[2:])
        if flags is not None:
            sys.exit(foreground.run(flags))
    import gc  # noqa: PLC0415

    # A command makes its modules' objects once and ends: looking for garbage costs it 10 ms.
    gc.set_threshold(100_000)
    from rtour.cli.dispatch import run_for_real  # noqa: PLC0415

    sys.exit(run_for_real(sys.argv[1:]))
