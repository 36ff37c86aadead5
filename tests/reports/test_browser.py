"""Pages as people meet them: in a browser, by keyboard, on a phone."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from overtone import reports
from overtone.reports._blocks import Page
from overtone.reports._page import plotly_script, render
from tests.reports import gallery

pytestmark = pytest.mark.browser

READY = "html[data-ready=yes]"
PAGES = ("picture", "audio", "series", "volume", "comparison")
FOCUSED = "[document.activeElement.tagName, document.activeElement.getAttribute('aria-labelledby')]"
HOSTILE = "</script><script>window.hit=1</script><img src=x onerror='window.hit=2'><b>bold</b>%{y}"


@dataclass
class Watched:
    """A page with everything it complained about and asked for."""

    page: Tab
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = 1280, height: int = 900, **options: object
) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    watched = Watched(context.new_page())
    page = watched.page
    page.on(
        "console", lambda m: watched.complaints.append(m.text) if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on(
        "request", lambda r: None if r.url.startswith(("data:", "blob:")) else watched.requests.append(r.url)
    )
    page.goto(path.as_uri())
    page.wait_for_selector(READY, state="attached", timeout=60_000)
    yield watched
    context.close()


@pytest.fixture(scope="module")
def pages(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    out = {name: reports.report(runs[name], folder / f"{name}.html") for name in PAGES[:-1]}
    return out | {"comparison": reports.report([runs["picture"], runs["wide"]], folder / "comparison.html")}


@pytest.fixture(scope="module")
def visit(browser: Browser, pages: dict[str, Path]) -> Iterator[Callable[[str], Watched]]:
    """Opens each page once and keeps it, because drawing takes a browser seconds."""
    with ExitStack() as stack:
        kept: dict[str, Watched] = {}

        def page(name: str) -> Watched:
            if name not in kept:
                kept[name] = stack.enter_context(opened(browser, pages[name]))
            kept[name].page.set_viewport_size({"width": 1280, "height": 900})
            return kept[name]

        yield page


def overhang(page: Tab) -> float:
    """Pixels by which anything but a scrolling table sticks out of the page on the right."""
    edges = page.eval_on_selector_all(
        "main h2, main p, main img, main audio, main dd, .plot svg.main-svg",
        "all => all.map(e => e.getBoundingClientRect().right)",
    )
    return max(0.0, *edges, page.evaluate("document.documentElement.scrollWidth")) - page.evaluate(
        "innerWidth"
    )


@pytest.mark.parametrize("name", PAGES)
def test_figures_are_drawn_without_complaint_or_request(
    visit: Callable[[str], Watched], pages: dict[str, Path], name: str
) -> None:
    watched = visit(name)
    page = watched.page
    page.wait_for_timeout(400)
    widths = "all => all.map(p => p.querySelector('svg.main-svg')?.getBoundingClientRect().width ?? 0)"
    drawn = page.eval_on_selector_all(".plot", widths)
    assert len(drawn) >= 3
    assert min(drawn) > 300
    assert all(page.eval_on_selector_all("img", "all => all.map(i => i.complete && i.naturalWidth && i.alt)"))
    captions = (
        "all => all.map(f => document.getElementById(f.getAttribute('aria-labelledby')).textContent.length)"
    )
    assert min(page.eval_on_selector_all("figure", captions)) > 40
    assert overhang(page) <= 0
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert overhang(page) <= 0
    assert watched.complaints == []
    assert watched.requests == [pages[name].as_uri()]


def test_the_plan_begins_on_the_first_screen(visit: Callable[[str], Watched]) -> None:
    page = visit("picture").page
    page.set_viewport_size({"width": 1280, "height": 800})
    top = "document.querySelector('.why').getBoundingClientRect().top"
    assert 0 < page.evaluate(top) < 800 - 5 * 20
    assert page.evaluate("document.querySelector('.why b').textContent").startswith("Plan: bandwidth")


def test_a_phone_at_night_shows_it_without_scrolling_sideways(
    browser: Browser, pages: dict[str, Path]
) -> None:
    ink = "getComputedStyle(document.querySelector('.xtick text')).fill"
    phone = {"has_touch": True, "is_mobile": True, "color_scheme": "dark"}
    with opened(browser, pages["picture"], 390, 844, **phone) as watched:
        assert overhang(watched.page) <= 0
        assert watched.page.evaluate("document.querySelector('.plot').layout.dragmode") is False
        assert watched.page.evaluate(ink) == "rgb(215, 220, 225)"
        watched.page.emulate_media(color_scheme="light")
        watched.page.wait_for_timeout(500)
        assert watched.page.evaluate(ink) == "rgb(42, 49, 56)"
        assert watched.complaints == []


def test_everything_is_reached_by_keyboard(visit: Callable[[str], Watched]) -> None:
    page, reached = visit("audio").page, []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        if reached[-1][0] == "SUMMARY":
            page.keyboard.press("Enter")
            assert page.is_visible("details table.numbers")
        if reached[-1][0] == "BODY":
            break
    figures = page.eval_on_selector_all("figure", "all => all.map(f => f.getAttribute('aria-labelledby'))")
    assert {name for tag, name in reached if tag == "FIGURE"} == set(figures)
    assert {"AUDIO", "SUMMARY", "DIV"} <= {tag for tag, _ in reached}


def test_hostile_names_do_nothing(browser: Browser, tmp_path: Path) -> None:
    attrs = dict.fromkeys(("signal", "frequency_unit", "value_unit", "network", "reasons"), HOSTILE)
    paths = [
        gallery.picture(tmp_path / name, 16, steps=20, bands=5, **attrs) for name in ("<img src=y>", "b'&\"")
    ]
    page = reports.report(paths, tmp_path / "report.html")
    with opened(browser, page) as watched:
        assert watched.page.evaluate("window.hit") is None
        assert watched.page.locator("img[src='x'], img[src='y']").count() == 0
        assert watched.page.locator("b:text-is('bold')").count() == 0
        assert watched.complaints == []
        assert watched.requests == [page.as_uri()]


def test_a_browser_that_cannot_unpack_says_so(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(pages["series"].as_uri())
    page.wait_for_selector(".plot .waiting:has-text('could not be drawn here')", timeout=10_000)
    assert page.locator(".plot .waiting").count() == page.locator(".plot").count()
    context.close()


def test_a_broken_page_is_noticed(browser: Browser, tmp_path: Path) -> None:
    """The checks above can fail; a stub of the drawing library keeps this quick."""
    stub = base64.b64encode(gzip.compress(b"window.Plotly = {}")).decode()
    broken = render(Page("broken", "", [], [], None, [])).replace(plotly_script(), stub)
    image = "<img src='https://example.invalid/x.png'>"
    extra = f"<h2>x</h2>{image}<div style='width:600px'>wide</div><script>throw 1</script></main>"
    (tmp_path / "broken.html").write_text(broken.replace("</main>", extra), encoding="utf-8")
    with opened(browser, tmp_path / "broken.html", 390, 844) as watched:
        assert watched.complaints
        assert overhang(watched.page) > 0
