"""The exception tree keeps what its docstring draws."""

from __future__ import annotations

import re

from rtour import errors


def test_the_docstring_draws_the_whole_tree() -> None:
    """Every error of the module is in the picture, at the depth its class has."""
    assert errors.__doc__
    drawn = {
        name: len(indent) // 4
        for indent, name in re.findall(r"^    ([│├└─ ]*)([A-Z]\w+)", errors.__doc__, re.MULTILINE)
    }
    classes = {
        name: found.__mro__.index(errors.RtourError)
        for name, found in vars(errors).items()
        if isinstance(found, type) and found.__module__ == errors.__name__
    }
    assert drawn == classes
