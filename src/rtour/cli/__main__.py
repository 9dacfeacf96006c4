"""`python -m rtour.cli`."""

from rtour.cli import main

main()
