"""The tool that measures the source tree finds each fault, and only faults."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "house.py"


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module
    spec.loader.exec_module(module)
    return module


def tree(folder, **files):
    root = folder / "package"
    for name, text in {"__init__": '"""A package."""\n', **files}.items():
        path = root / f"{name.replace('__to__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


CLEAN = (
    '"""One."""\n\n\ndef power(values):\n    """Return power.\n\n    >>> 1\n    1\n    """\n'
    "    return values  # why\n"
)


def test_a_clean_tree_has_no_faults(house, tmp_path):
    result = house.measure(tree(tmp_path, _one=CLEAN))
    assert result.faults == []
    assert result.figures["files"] == 2
    assert result.figures["lines of examples"] == 1
    assert result.figures["lines of code per inline comment"] == 8


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"_one": "x = 1\n" * 561}, "561 lines"),
        ({"_one": "def f():\n" + "    x = 1\n" * 86}, "f has 86 lines"),
        ({"_one": f"def f({', '.join(f'a{i}' for i in range(13))}): ...\n"}, "13 parameters"),
        ({"_one": "found = 1\n"}, "the name found"),
        ({"_one": "def f(given): ...\n"}, "the name given"),
        ({"_one": "class Keeper: ...\n"}, "the name keeper"),
        ({"_one": "x.kept = 1\n"}, "the name kept"),
        ({"_room": "x = 1\n"}, "a module called room"),
        (
            {"_one": "def power(): ...\n", "_two": "def power(): ...\n"},
            "power is defined in _one.py, _two.py",
        ),
        ({"__init__": '__all__ = ["power"]\n', "power": "x = 1\n"}, "power hides the module"),
        (
            {"_one": "from package import _two\n", "_two": "from package._one import x\n"},
            "package._one and package._two import each other",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_rule_can_be_broken(house, tmp_path, files, fault):
    faults = house.measure(tree(tmp_path, **files)).faults
    assert len(faults) == 1
    assert fault in faults[0]


def test_private_packages_hand_nothing_out(house, tmp_path):
    door = '__all__ = ["one", "two"]\n'
    assert house.measure(tree(tmp_path, _inner__to____init__=door)).figures["exported names"] == 0
    assert house.measure(tree(tmp_path, inner__to____init__=door)).figures["exported names"] == 2


def test_the_table_of_words_is_that_of_the_contributors(house):
    page = (TOOL.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [word for word in house.WORDS if f"| `{word}` | {house.WORDS[word]} |" not in page] == []
