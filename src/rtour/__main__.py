"""`python -m rtour`: what the command `rtour` is."""

from rtour.cli import main

main()
