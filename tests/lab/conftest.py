"""The page, opened in a browser."""

from __future__ import annotations

import pytest

from overtone import lab


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = lab.write(tmp_path_factory.mktemp("lab") / "lab.html", [0.0, 1.0, 0.0, -1.0] * 64)
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    """Return a function that opens the page with a state, and refuses errors of its scripts and requests."""
    pages, faults = [], []

    def open_page(state="", width=1280, dark=False):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.on(
            "request",
            lambda request: request.url.startswith("http") and faults.append(f"asked {request.url}"),
        )
        pages.append(page)
        page.goto(f"{address}#{state}")
        page.locator("#bands tr").first.wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert faults == []
