"""Measure the source tree and hold its rules: `python tools/house.py [--check]`.

Prints one figure a line. With `--check` it also names each place where a file, a function or a parameter list is longer
than its limit, a name is one of the vague words of `WORDS`, an exported function has the name of a module beside its
package's door, two files define one public name, or modules import each other; and ends with 1 if there is any.
"""

from __future__ import annotations

import argparse
import ast
import collections
import io
import re
import statistics
import sys
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src" / "overtone"

FILE, FUNCTION, PARAMETERS = 560, 85, 12
"""Most lines of a file, of a function's body without its docstring, and parameters of a function."""

WORDS = {
    "found": "result, match, or the thing itself",
    "given": "value, argument",
    "told": "known, reported",
    "wanted": "target, required",
    "kept": "retained, stored, mask",
    "seen": "visited, visible",
    "own": "local, native",
    "most": "maximum, limit",
    "least": "minimum",
    "where": "place, index, mask, device",
    "how": "method, options",
    "rest": "remainder, others",
    "walk": "training, trajectory",
    "scene": "problem",
    "span": "interval, range",
    "course": "schedule, trajectory",
    "drawn": "sampled, samples",
    "beyond": "outside, continuation",
    "appetite": "memory",
    "halves": "half_widths, parts",
    "room": "capacity, disk_space",
    "here": "position, local",
    "looks": "evaluations",
    "lever": "bandwidth, control",
    "keeper": "store",
    "keeps": "stores",
    "keeping": "storing",
    "following": "next, monitor",
    "foretelling": "prediction",
    "leaps": "steps, relinearisations",
    "steered": "controlled",
    "steering": "policy",
    "reach": "bandwidth, highest frequency",
    "hope": "expectation",
    "worth": "gain, value",
}
"""Words that are no names here, with what to say instead."""

SHARED = {
    "compare": "of candidates (`ot.compare`), and of kernel regressions (`theory.kernel_regression.compare`)",
    "fit": "of a network (`ot.fit`), and of a kernel regression (`theory.kernel_regression.fit`)",
    "predict": "of a fit (`ot.predict`), and of any module's training (`theory.dynamics.predict`)",
    "points": "a signal (`signals.points`), its spectrum (`spectra.points`) and its view (`probes.views.points`)",
}
"""Public names that several files define on purpose, with the reason."""


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class House:
    """What was measured, and the places where a rule is broken."""

    figures: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def names_of(node: ast.AST) -> list[str]:
    """The names that a node binds: of modules' parts, parameters, variables and attributes."""
    names: list[str] = []
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        names.append(node.name.lower())
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        names += [a.arg for a in parameters(node)]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        names.append(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        names.append(node.attr)
    return names


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    """All named parameters of a function."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, without its docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def exported(door: Path, tree: ast.Module) -> list[str]:
    """The names that a package's `__init__` hands out, by its stub, its `__all__` or its `import X as X`."""
    stub = door.with_suffix(".pyi")
    if stub.exists():
        tree = ast.parse(stub.read_text(encoding="utf-8"))
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") == "__all__"
            and isinstance(node.value, ast.List | ast.Tuple)
        ):
            return [str(e.value) for e in node.value.elts if isinstance(e, ast.Constant)]
    imports = [a for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names]
    return [a.asname for a in imports if a.asname == a.name and not a.name.startswith("_")]


def comments(text: str) -> int:
    """Inline comments, not counting directives to tools."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    directive = re.compile(r"#\s*(type:|noqa|ruff|pragma)")
    return sum(t.type == tokenize.COMMENT and not directive.match(t.string) for t in tokens)


def circles(edges: dict[str, set[str]]) -> list[str]:
    """One line for each pair of modules that import each other, directly or through others."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        todo, seen_modules = [start], set()
        while todo:
            for target in edges.get(todo.pop(), ()):
                if target not in seen_modules:
                    seen_modules.add(target)
                    todo.append(target)
        reached[start] = seen_modules
    return sorted(
        f"{a} and {b} import each other"
        for a in edges
        for b in reached[a]
        if a < b and a in reached.get(b, ())
    )


def imports_of(tree: ast.Module, modules: set[str]) -> set[str]:
    """Modules of the package that a module imports when it is imported itself."""
    targets = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{a.name}" for a in node.names} & modules
            targets |= inner or ({node.module} & modules)
        elif isinstance(node, ast.Import):
            targets |= {a.name for a in node.names} & modules
    return targets


def faults_of(tree: ast.Module, place: str, text: str) -> list[str]:
    """Places in one module that are too long or badly named."""
    lines = len(text.splitlines())
    faults = [f"{place}: {lines} lines, at most {FILE}"] if lines > FILE else []
    stem = Path(place).stem.strip("_")
    if stem in WORDS:
        faults.append(f"{place}: a module called {stem}; say {WORDS[stem]}")
    for node in ast.walk(tree):
        at = f"{place}:{getattr(node, 'lineno', 0)}"
        faults += [f"{at}: the name {name}; say {WORDS[name.strip('_')]}" for name in vague(node)]
        if isinstance(node, FUNCTIONS):
            lines, count = body_lines(node), len(parameters(node))
            if lines > FUNCTION:
                faults.append(f"{at}: {node.name} has {lines} lines, at most {FUNCTION}")
            if count > PARAMETERS:
                faults.append(f"{at}: {node.name} has {count} parameters, at most {PARAMETERS}")
    return faults


def vague(node: ast.AST) -> list[str]:
    """Names bound by a node that are among `WORDS`."""
    return [name for name in names_of(node) if name.strip("_") in WORDS]


def measure(root: Path = ROOT) -> House:
    """Read every module below `root` and measure it."""
    house = House()
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    names = {path: module_name(path, root) for path in texts}
    exports, hidden = 0, 0
    defined: dict[str, set[str]] = collections.defaultdict(set)
    for path, tree in trees.items():
        place = str(path.relative_to(root))
        house.faults += faults_of(tree, place, texts[path])
        for node in tree.body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
                defined[node.name].add(place)
        if path.name == "__init__.py":
            door = exported(path, tree)
            shadowed = [name for name in door if (path.parent / f"{name}.py").exists()]
            hidden += len(shadowed)
            house.faults += [f"{place}: {name} hides the module of its name" for name in shadowed]
            private = any(part.startswith("_") for part in path.relative_to(root).parts[:-1])
            exports += 0 if private else len(door)
    twice = {name: sorted(places) for name, places in defined.items() if len(places) > 1}
    house.faults += [f"{n} is defined in {', '.join(p)}" for n, p in sorted(twice.items()) if n not in SHARED]
    known = set(names.values())
    rings = circles({names[p]: imports_of(t, known) - {names[p]} for p, t in trees.items()})
    house.faults += rings
    lengths = sorted(len(text.splitlines()) for text in texts.values())
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    words = sum(len(vague(node)) for tree in trees.values() for node in ast.walk(tree))
    code = sum(
        bool(line.strip()) and not line.strip().startswith("#")
        for text in texts.values()
        for line in text.splitlines()
    )
    house.figures = {
        "files": len(lengths),
        "lines": sum(lengths),
        "median lines of a file": statistics.median(lengths),
        "nine tenths of files are below": lengths[int(0.9 * len(lengths))],
        "longest file": lengths[-1],
        "longest function": max((body_lines(node) for node in functions), default=0),
        "most parameters": max((len(parameters(node)) for node in functions), default=0),
        "vague names per 1,000 lines": round(1000 * words / sum(lengths), 2),
        "public names defined more than once": len(twice),
        "exported names": exports,
        "exported names that hide a module": hidden,
        "lines of code per inline comment": round(code / max(sum(map(comments, texts.values())), 1)),
        "lines of examples": sum(len(re.findall(r"^\s*>>> ", text, re.M)) for text in texts.values()),
        "import circles": len(rings),
    }
    return house


def module_name(path: Path, root: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def main() -> int:
    """Print the figures; with `--check` also the faults, and say by the exit status whether there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="end with 1 where a rule is broken")
    house = measure()
    check = parser.parse_args().check
    for name, value in house.figures.items():
        print(f"{name}: {value:,}")
    if not check:
        return 0
    for fault in house.faults:
        print(fault, file=sys.stderr)
    return int(bool(house.faults))


if __name__ == "__main__":
    sys.exit(main())
