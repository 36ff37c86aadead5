"""The pages say what is true: their code runs in order, their links lead somewhere, and the index knows them all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
import skimage.data
import torch
from PIL import Image

from overtone.cli._main import run as overtone
from overtone.records import Writer
from overtone.records._schema import PER_STEP
from tests.records.toy import toy_header, toy_record

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(
    DOCS.rglob("*.md")
)
FENCE = re.compile(r"^( *)(```+)([^\n`]*)\n(.*?)^\1\2 *$", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and flags, its text, and the line of the page where the text begins."""

    language: str
    flags: tuple[str, ...]
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for match in FENCE.finditer(page):
        language, *flags = match[3].split() or [""]
        found.append(Block(language, tuple(flags), match[4], page[: match.start(4)].count("\n") + 1))
    return found


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each `overtone` command that a block marked `run` shows."""
    if block.language not in ("bash", "console") or "run" not in block.flags:
        return
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["overtone"] and (block.language == "bash" or line.startswith("$ ")):
            yield words[1:]


def execute(page: str, name: str) -> None:
    """Run the Python blocks of a page in one namespace, and its marked commands, in order.

    Networks that readers build without a seed draw from a generator that is put back afterwards.
    """
    names: dict[str, object] = {"__name__": "page"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for block in blocks(page):
            if block.language == "python":
                code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
                exec(code, names)  # noqa: S102
            for words in commands(block):
                assert overtone(words) == 0, f"{name}, line {block.line}: overtone {shlex.join(words)}"


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", title) for title in HEADING.findall(FENCE.sub("", page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def targets(page: str) -> list[str]:
    """Where the links and pictures of a page point, without those to other sites."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page))
    found = PICTURE.findall(prose) + LINK.findall(PICTURE.sub("", prose))
    return [unquote(target) for target in found if not re.match(r"[a-z]+:", target)]


def broken(page: str, folder: Path) -> list[str]:
    """The links and pictures of a page in `folder` that lead nowhere."""
    lost = []
    for target in targets(page):
        path, _, anchor = target.partition("#")
        file = folder / path
        if path and not file.exists():
            lost.append(target)
        elif anchor and (not path or file.suffix == ".md"):
            text = file.read_text(encoding="utf-8") if path else page
            lost += [] if anchor in anchors(text) else [target]
    return lost


def unlisted(folder: Path) -> list[str]:
    """The pages below `folder` to which neither its index nor the index of their folder links."""
    indices = [folder / "index.md", *sorted(folder.glob("*/index.md"))]
    listed = {
        (index.parent / target.partition("#")[0]).resolve()
        for index in indices
        for target in targets(index.read_text(encoding="utf-8"))
    }
    pages = [page.resolve() for page in sorted(folder.rglob("*.md")) if page.parent.name[0] not in "_."]
    pages.remove((folder / "index.md").resolve())
    return [str(page.relative_to(folder.resolve())) for page in pages if page not in listed]


def a_run(folder: Path) -> None:
    """A run directory, for the page on records, which begins by reading one."""
    toy = toy_record(steps=50, channels=3)
    with Writer.create(folder / "run/record.sqlite", toy_header(channels=3)) as writer:
        for i, step in enumerate(toy.step.values):
            writer.append(step, {name: toy[name].values[i] for name in PER_STEP})


def a_photo(folder: Path) -> None:
    """The picture that the first page takes as the reader's own."""
    Image.fromarray(skimage.data.astronaut()[100:132, 200:232]).save(folder / "photo.jpg")


PREPARED = {"README.md": a_photo, "docs/guide/record.md": a_run}
"""What has to lie in the folder before a page's code runs."""


def titles(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


WITH_CODE = [page for page in PAGES if any(b.language == "python" for b in blocks(page.read_text("utf-8")))]


@pytest.mark.parametrize("page", WITH_CODE, ids=titles(WITH_CODE))
def test_its_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = str(page.relative_to(ROOT))
    PREPARED.get(name, lambda _: None)(tmp_path)
    execute(page.read_text(encoding="utf-8"), name)


@pytest.mark.parametrize("page", PAGES, ids=titles(PAGES))
def test_its_links_and_pictures_lead_somewhere(page):
    assert broken(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize("page", PAGES, ids=titles(PAGES))
def test_its_fences_are_closed(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^ *```", FENCE.sub("", text), re.MULTILINE)


def test_the_index_lists_every_page():
    assert unlisted(DOCS) == []


def test_every_picture_is_shown_somewhere():
    shown = {
        (page.parent / target).resolve() for page in PAGES for target in targets(page.read_text("utf-8"))
    }
    pictures = {
        file.resolve() for file in (DOCS / "img").iterdir() if file.suffix in (".png", ".svg", ".webp")
    }
    assert pictures
    assert pictures <= shown


def test_pictures_are_small():
    heavy = [file.name for file in (DOCS / "img").iterdir() if file.stat().st_size > 400_000]
    assert heavy == []


PAGE = """# A page
```python
x = 1
```
Text with `[no](link.md)`.
```python
assert x == {}
```
"""


def test_blocks_share_one_namespace():
    execute(PAGE.replace("{}", "1"), "page.md")


def test_code_that_fails_is_found_where_it_stands():
    with pytest.raises(AssertionError) as failure:
        execute(PAGE.replace("{}", "2"), "page.md")
    assert (str(failure.traceback[-1].path), failure.traceback[-1].lineno + 1) == ("page.md", 7)


def test_commands_are_run_only_where_marked(capsys):
    execute("```console\n$ overtone no-such-verb\n```\n", "page.md")
    execute("```console run\n$ overtone --help\nsome output: overtone no-such-verb\n```\n", "page.md")
    with pytest.raises(AssertionError, match="line 2: overtone no-such-verb"):
        execute("```bash run\novertone no-such-verb  # a comment\n```\n", "page.md")


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    execute("```python\nimport torch\ntorch.rand(3)\n```\n", "page.md")
    assert torch.equal(before, torch.random.get_rng_state())


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# It's here: `one` [two](x)\n")
    good = "# A page\n[a](other.md#its-here-one-two) [b](https://nowhere.example) [c](#a-page) `[d](no.md)`\n"
    assert broken(good, tmp_path) == []
    bad = "[a](other.md#gone) ![b](no.png) [![c](lost.png)](gone.md) [d](#e)\n```\n[f](code.md)\n```\n"
    assert broken(bad, tmp_path) == ["no.png", "lost.png", "other.md#gone", "gone.md", "#e"]


def test_pages_that_the_index_forgets_are_found(tmp_path):
    pages = {
        "index.md": "[a](listed.md)",
        "listed.md": "",
        "forgotten.md": "[b](group/two.md)",
        "group/index.md": "[c](one.md)",
        "group/one.md": "",
        "group/two.md": "",
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert unlisted(tmp_path) == ["forgotten.md", "group/index.md", "group/two.md"]
    (tmp_path / "index.md").write_text("[a](listed.md) [d](group/index.md) [e](forgotten.md#part)")
    (tmp_path / "group/index.md").write_text("[c](one.md) [f](two.md)")
    assert unlisted(tmp_path) == []
