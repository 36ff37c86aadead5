"""The examples of docstrings run as tests, except in modules whose package of an extra is not installed."""

import importlib.util

_NEEDS = {"lightning": "lightning", "transformers": "transformers"}
collect_ignore_glob = [
    f"src/overtone/*/{folder}*{module}.py"
    for package, module in _NEEDS.items()
    for folder in ("", "*/")
    if importlib.util.find_spec(package) is None
]
