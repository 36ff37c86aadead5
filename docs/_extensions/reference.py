"""Write one page of reference for each public package, from the names that it exports."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import itertools
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from overtone.errors import InputError


@functools.cache
def doors() -> list[str]:
    """Return the public packages and sub-packages: those that export names, and are not private."""
    names: list[str] = []
    # A package may be public without being handed out by the one above: those that hand out a result of `ot.compare`.
    root = Path(importlib.import_module("overtone").__file__ or "").parent
    stubs = [stub.parent.relative_to(root).parts for stub in root.rglob("__init__.pyi")]
    todo = [".".join(("overtone", *parts)) for parts in stubs if not any(part.startswith("_") for part in parts)]
    while todo:
        name = todo.pop(0)
        if name in names:
            continue
        names.append(name)
        module = importlib.import_module(name)
        for attribute in exported(module):
            member = load(module, attribute)
            if isinstance(member, ModuleType) and member.__name__ == f"{name}.{attribute}":
                todo.append(member.__name__)
    return sorted(names)


def load(module: ModuleType, name: str) -> Any:
    """Return an exported member, or the error that names the package which it needs and which is not installed."""
    try:
        return getattr(module, name)
    except InputError as error:
        return error


def exported(module: ModuleType) -> list[str]:
    """Return the names that a package exports, sorted."""
    classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
    return sorted(getattr(module, "__all__", classes))


def directive(package: str, name: str, member: Any) -> list[str]:
    """Return the lines that document one exported name."""
    path = f"{package}.{name}"
    home = "" if package != "overtone" else home_of(member, name)
    if home:  # the same object under a shorter name: documented once
        return [f"* ``ot.{name}``: :py:obj:`{home}.{name}`", ""]
    if isinstance(member, InputError):
        return [f".. py:class:: {path}", "", f"   Needs {member.expected}.", ""]
    if inspect.isclass(member):
        # Bases that users cannot import say nothing to them, and `object` neither.
        hidden = [
            base is object
            or base.__module__.startswith("overtone.")
            and f"{base.__module__}.{base.__qualname__}" not in public_names()
            for base in member.__bases__
        ]
        inheritance = [] if any(hidden) else ["   :show-inheritance:"]
        return [f".. autoclass:: {path}", "   :members:", *inheritance, ""]
    if callable(member) and hasattr(member, "__name__"):
        return [f".. autofunction:: {path}", ""]
    text = description(package, name)
    return [f".. py:data:: {name}", f"   :type: {type(member).__name__}", "", *(f"   {line}" for line in text), ""]


def description(package: str, name: str) -> list[str]:
    """Return the lines of the string that stands below the assignment of a constant in a module of its package."""
    folder = Path(importlib.import_module(package).__file__ or "").parent
    for file in sorted(folder.rglob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for statement, below in itertools.pairwise(body):
            texts = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            targets = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
            if texts and isinstance(statement, ast.Assign | ast.AnnAssign) and name in targets:
                return inspect.cleandoc(below.value.value).splitlines()
    return []


def home_of(member: Any, name: str) -> str:
    """Return the package that exports a name which the top package hands on, or "" if it is the top package."""
    parts = getattr(member, "__module__", "overtone").split(".")
    home = ".".join(part for part in parts if not part.startswith("_"))
    return (
        home
        if home in doors() and home != "overtone" and name in exported(importlib.import_module(home))
        else ""
    )


def is_class(member: Any) -> bool:
    """Return whether a name stands among the classes; names that need a package which is not installed do."""
    return inspect.isclass(member) or isinstance(member, InputError)


def page(package: str) -> str:
    """Return the text of the page of one package."""
    module = importlib.import_module(package)
    lines = [package, "=" * len(package), "", f".. automodule:: {package}", "   :no-members:", ""]
    members = {name: load(module, name) for name in exported(module)}
    packages = [name for name, member in members.items() if isinstance(member, ModuleType)]
    below = [name for name in doors() if name.rpartition(".")[0] == package]
    if below:
        lines += ["Packages", "--------", "", *(f"* :doc:`{name}`" for name in below), ""]
    for title, kind in (("Functions", False), ("Classes", True)):
        chosen = [
            name for name, member in members.items() if name not in packages and is_class(member) == kind
        ]
        if chosen:
            lines += [title, "-" * len(title), ""]
            for name in chosen:
                lines += directive(package, name, members[name])
    return "\n".join(lines)


def write_pages(app: Sphinx) -> None:
    """Write the pages that have changed, so that an unchanged page is not built again."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{package}.rst": page(package) for package in doors()}
    for old in folder.glob("*.rst"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


CODE = re.compile(r"(`+[^`]*`+)")


def escape(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape what docstrings write as formulas and reStructuredText would read as its own marks: |f|, a*b, x_.

    Of a property, Napoleon would read "Sentences: what was learned" as a type and a description; behind a line without a
    colon, here one that shows nothing, it does not.
    """
    if what == "property":
        lines.insert(0, "\\ ")
    literal = False
    for index, line in enumerate(lines):
        if line.lstrip().startswith(">>>"):
            literal = True
        elif not line.strip():
            literal = False
        if literal or line.lstrip().startswith((".. ", ":")) and "::" in line:
            continue
        parts = CODE.split(line)
        parts[::2] = [
            re.sub(r"([|*])|(?<=\w)(_)(?=\W|$)", lambda m: "\\" + m[0], part) for part in parts[::2]
        ]
        lines[index] = "".join(parts)


PRIVATE = re.compile(r"\bovertone(?:\.\w+)*\.(?:_\w+)(?:\.\w+)*")


@functools.cache
def public_names() -> dict[str, str]:
    """Return, for the full name of each class and function in its private module, the name that users import."""
    names: dict[str, str] = {}
    for package in reversed(doors()):  # the top package last: a longer home is kept
        module = importlib.import_module(package)
        for name in exported(module):
            member = load(module, name)
            if hasattr(member, "__qualname__"):
                names.setdefault(f"{member.__module__}.{member.__qualname__}", f"{package}.{name}")
    return names


def public_form(text: str, names: dict[str, str]) -> str:
    """Return a text in which public names, or else bare ones, replace the names of private modules' members."""
    return PRIVATE.sub(lambda match: names.get(match[0], match[0].rsplit(".", 1)[-1]), text)


def hide_private_modules(app: Sphinx, doctree: nodes.document) -> None:
    """Show the types of attributes under their public names, and link them, on the pages of the reference."""
    if not app.env.docname.startswith("reference/generated/"):
        return
    name_aliases(doctree)
    names = public_names()
    for reference in doctree.findall(addnodes.pending_xref):
        reference["reftarget"] = names.get(reference["reftarget"], reference["reftarget"])
    for text in list(doctree.findall(nodes.Text)):
        if PRIVATE.search(text):
            text.parent.replace(text, nodes.Text(public_form(text, names)))


def name_aliases(doctree: nodes.document) -> None:
    """Write aliases of types, such as ArrayLike, by their names: autodoc writes TypeAliasForwardRef('path.Name')."""
    for text in list(doctree.findall(nodes.Text)):
        if text == "TypeAliasForwardRef":
            word = text.parent.parent if isinstance(text.parent.parent, addnodes.pending_xref) else text.parent
            line = word.parent
            begin = next(index for index, node in enumerate(line.children) if node is word)
            path = line[begin + 2].astext().strip("'")
            del line[begin + 1 : begin + 4]  # "(", the path, ")"
            word.replace_self(nodes.emphasis("", path.rsplit(".", 1)[-1]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", escape, priority=100)
    app.connect("doctree-read", hide_private_modules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
