"""Turn relative links to files outside the site into links to the repository, and link included pages to the site."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

REPOSITORY = "https://github.com/overtone-dev/overtone/blob/main/"
REMOTE_PICTURE = re.compile(r"!\[([^\]]*)\]\(https?://[^)\s]*\)")
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")


def resolve(text: str, page: Path, docs: Path) -> str:
    """Return the text of a page with the links that leave `docs` pointing to the repository.

    A link inside the site is written relative to the page on which it is shown: an included file, such as the
    changelog, has links relative to its own place.
    """
    root = docs.parent

    def replace(match: re.Match[str]) -> str:
        target = (page.parent / match[2]).resolve()
        if not target.exists():
            return match[0]
        if target.is_relative_to(docs):
            return match[0]
        served = {
            root / "CONTRIBUTING.md": "development/contributing.md",
            root / "CHANGELOG.md": "development/changes.md",
        }
        if target in served:
            return f"{match[1]}{os.path.relpath(docs / served[target], page.parent)}{match[3]}"
        return f"{match[1]}{REPOSITORY}{target.relative_to(root)}{match[3]}"

    # Pages load nothing from a network: a remote picture, such as a badge, is shown as its description.
    return LINK.sub(replace, REMOTE_PICTURE.sub(r"\1", text))


INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)


def included(text: str, page: Path, docs: Path) -> str:
    """Return the text with the files it includes in place, their links relative to the including page."""

    def replace(match: re.Match[str]) -> str:
        file = (page.parent / match[1]).resolve()

        def relative(link: re.Match[str]) -> str:
            target = (file.parent / link[2]).resolve()
            return f"{link[1]}{os.path.relpath(target, page.parent)}{link[3]}" if target.exists() else link[0]

        return LINK.sub(relative, file.read_text(encoding="utf-8"))

    return INCLUDE.sub(replace, text)


def read(app: Sphinx, name: str, source: list[str]) -> None:
    """Rewrite the links of a page as it is read."""
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md":
        docs = Path(app.srcdir).resolve()
        source[0] = resolve(included(source[0], page.resolve(), docs), page.resolve(), docs)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
