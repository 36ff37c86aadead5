"""The examples of docstrings run as tests, except in modules whose package of an extra is not installed."""

import importlib.util

_NEEDS = {"_lightning": "lightning", "_pina": "lightning", "_transformers": "transformers"}
"""Package that each module needs, beside those of the tests."""

collect_ignore_glob = [
    f"src/overtone/*/{folder}*{module}.py"
    for module, package in _NEEDS.items()
    for folder in ("", "*/")
    if importlib.util.find_spec(package) is None
]
