"""With this folder first on the path, `import restate` gives rtour: programs run unchanged."""

import importlib
import sys

import rtour

for _name in rtour._SUBMODULES:
    sys.modules[f"restate.{_name}"] = importlib.import_module(f"rtour.{_name}")
sys.modules["restate"] = rtour
