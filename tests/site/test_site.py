"""The site builds without warnings or a network, leads where it says, has every public name, and is accessible."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe

import overtone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
KINDS = (
    "index",
    "tutorials/01-first-fit",
    "guide/units",
    "theory/why-low-frequencies-first",
    "reference/generated/overtone.spectra",
    "auto_gallery/index",
    "auto_gallery/measure/plot_photograph",
    "search",
)
"""One page of each kind."""


class Links(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if "src" in values:
            self.loads.append(values["src"])
        relation = values.get("rel", "").split()
        if tag == "link" and {"stylesheet", "icon", "preload", "modulepreload"} & set(relation):
            self.loads.append(values["href"])
        self.loads += re.findall(r"url\(['\"]?([^'\")]+)", values.get("style", ""))


@cache
def read(page: Path) -> Links:
    return Links(page.read_text(encoding="utf-8"))


def remote(targets: list[str]) -> list[str]:
    """The targets that would be loaded from a network."""
    return [target for target in targets if re.match(r"(https?:)?//", target)]


def lost(page: Path) -> list[str]:
    """The links, pictures and scripts of a page that lead to no file or no anchor of the site."""
    missing = []
    for target in read(page).links + read(page).loads:
        if re.match(r"[a-z]+:|//", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path.partition("?")[0]) if path else page
        # The lab's anchors are its settings.
        has_anchors = file.suffix == ".html" and file.name != "lab.html"
        if not file.is_file() or (has_anchors and anchor not in read(file.resolve()).anchors):
            missing.append(target)
    return missing


def exported(module: ModuleType) -> list[str]:
    """The names that a package exports; the small package of errors has no list of them."""
    classes = [name for name, value in vars(module).items() if isinstance(value, type)]
    return list(getattr(module, "__all__", classes))


def doors(module: ModuleType) -> Iterator[ModuleType]:
    """A public package and all public packages below it: those with a stub, and those that it exports."""
    yield module
    folder = Path(module.__file__).parent
    stubs = {stub.parent.name for stub in folder.glob("[a-z]*/__init__.pyi")}
    for name in sorted(
        stubs | {name for name in exported(module) if (folder / name / "__init__.py").exists()}
    ):
        yield from doors(importlib.import_module(f"{module.__name__}.{name}"))


def named(text: str, package: str, name: str) -> bool:
    """Whether the page of a package documents a name, or refers to the page that does."""
    return f'id="{package}.{name}"' in text or f">{package}.{name}<" in text or f"ot.{name}<" in text


def pages(site: Path) -> list[Path]:
    return sorted(page.resolve() for page in site.rglob("*.html") if "_static" not in page.parts)


def test_pages_lead_to_pages_and_anchors_that_exist(site):
    assert len(pages(site)) > 100
    assert {str(page.relative_to(site.resolve())): lost(page) for page in pages(site) if lost(page)} == {}


def test_no_page_loads_anything_from_a_network(site):
    assert {page.name: remote(read(page).loads) for page in pages(site) if remote(read(page).loads)} == {}
    loaded = [
        target
        for file in site.rglob("*.css")
        for target in remote(re.findall(r"url\(['\"]?([^'\")]+)", file.read_text(encoding="utf-8")))
    ]
    assert loaded == []


def test_the_reference_has_every_public_name(site):
    packages = list(doors(overtone))
    assert len(packages) > 17
    missing = []
    for module in packages:
        text = (site / f"reference/generated/{module.__name__}.html").read_text(encoding="utf-8")
        missing += [
            f"{module.__name__}.{name}" for name in exported(module) if not named(text, module.__name__, name)
        ]
    assert missing == []


def test_sentences_of_docstrings_stay_whole(site):
    pages = {
        "overtone.fitting": "Sentences: what was learned, what was not, when noise began, what to do next.",
        "overtone.probes.callbacks": "Steps are the trainer’s global_step: optimizer steps",
    }
    for page, sentence in pages.items():
        text = (site / f"reference/generated/{page}.html").read_text(encoding="utf-8")
        assert sentence in " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


def test_the_reference_has_the_results_of_top_functions_and_describes_constants(site):
    comparing = (site / "reference/generated/overtone.comparing.html").read_text(encoding="utf-8")
    assert 'id="overtone.comparing.ComparisonResult"' in comparing
    empty = {
        file.name: names
        for file in (site / "reference/generated").glob("*.html")
        if (
            names := re.findall(
                r'<dt class="sig[^>]*id="([^"]+)"(?:(?!</dt>).)*</dt>\s*<dd>\s*</dd>',
                file.read_text(encoding="utf-8"),
                re.S,
            )
        )
    }
    assert empty == {}
    plots = (site / "reference/generated/overtone.plots.html").read_text(encoding="utf-8")
    assert 'id="overtone.plots.SINGLE_COLUMN"' in plots
    assert "89 mm" in plots


def test_the_reference_names_no_private_module(site):
    shown = {
        file.name: re.findall(
            r"overtone(?:\.\w+)*\._[a-z]\w*\.[A-Z]\w*|TypeAliasForwardRef|_SupportsArray",
            re.sub(r"<[^>]+>", "", file.read_text(encoding="utf-8")),
        )
        for file in (site / "reference/generated").glob("*.html")
    }
    assert {name: found for name, found in shown.items() if found} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_ask_no_network(site, browser, theme):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    serious = []
    for kind in KINDS:
        tab = context.new_page()
        tab.goto((site / f"{kind}.html").as_uri())
        tab.wait_for_load_state("load")
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        for finding in Axe().run(tab).response["violations"]:
            if finding["impact"] in ("serious", "critical"):
                serious.append((kind, finding["id"], finding["nodes"][0]["html"]))
        tab.close()
    context.close()
    assert serious == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_no_page_is_wider_than_a_phone(site, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    wide = []
    for kind in KINDS:
        tab.goto((site / f"{kind}.html").as_uri())
        if tab.evaluate("document.scrollingElement.scrollWidth") > 390:
            wide.append(kind)
    context.close()
    assert wide == []


def test_the_search_works_without_a_server(site, browser):
    tab = browser.new_page()
    tab.goto((site / "search.html").as_uri() + "?q=bandwidth")
    tab.wait_for_selector("#search-results li a", timeout=30_000)
    assert tab.locator("#search-results li a").count() > 5
    tab.close()


def test_formulas_are_drawn(site, browser):
    tab = browser.new_page()
    tab.goto((site / "theory/why-low-frequencies-first.html").as_uri())
    tab.wait_for_selector("mjx-container svg", timeout=30_000)
    assert tab.locator("mjx-merror").count() == 0
    tab.close()


def test_faults_of_pages_are_recognised(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<h1 id="top">x</h1><a href="#top">a</a><a href="#gone">b</a><a href="no.html">c</a><img src="no.png">'
        '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href="//cdn.example/x.css">'
    )
    assert lost(page.resolve()) == ["#gone", "no.html", "no.png"]
    assert remote(read(page.resolve()).loads) == ["https://cdn.example/x.js", "//cdn.example/x.css"]


def test_a_name_without_an_entry_is_recognised():
    assert named('<dt id="overtone.nn.Dense">', "overtone.nn", "Dense")
    assert not named('<dt id="overtone.nn.Denser">', "overtone.nn", "Dense")
