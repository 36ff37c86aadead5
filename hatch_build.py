"""Build hook: the README of the package index, where links into the repository have to be complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURES = (".png", ".webp", ".gif", ".svg", ".jpg")


def with_complete_links(page: str, repository: str, version: str) -> str:
    """Return a Markdown page whose relative links lead to the files of a version in the repository.

    Pictures need the address of the raw file; other files are shown by the repository's own page.
    """
    raw = repository.replace("https://github.com/", "https://raw.githubusercontent.com/")

    def complete(match: re.Match[str]) -> str:
        target = match[1]
        base = f"{raw}/v{version}" if target.endswith(PICTURES) else f"{repository}/blob/v{version}"
        return f"]({base}/{target})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)\s]+)\)", complete, page)


class ReadmeHook(MetadataHookInterface):
    """Adds the README to the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` in the metadata of the project."""
        page = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = with_complete_links(page, metadata["urls"]["Repository"], metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
