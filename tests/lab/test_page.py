"""The page is used as a reader would: drawn on, played, paused, shared, by keyboard, on a phone."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from overtone import lab

pytestmark = pytest.mark.browser

FIGURES = "() => [overtoneLab.lab.step, overtoneLab.lab.history.at(-1)]"


def drag(page, places):
    box = page.locator("#fit").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def play_to_the_end(page):
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_text(re.compile("^Stopped at step")).wait_for()


def test_a_drawn_signal_is_trained_shared_and_opened_again(opened):
    page = opened("steps=60&width=32&seed=5&noise=0.1")
    drag(page, [(0.2, 0.7), (0.4, 0.1), (0.6, 0.7), (0.8, 0.3)])
    assert page.locator("select[name=signal]").input_value() == "drawn"
    play_to_the_end(page)
    link, figures = page.evaluate("() => location.href"), page.evaluate(FIGURES)
    assert figures[0] == 60
    other = opened(link.split("#")[1])
    assert other.evaluate(FIGURES) != figures
    play_to_the_end(other)
    assert other.evaluate(FIGURES) == figures
    # Reloading keeps the state, and another seed gives other figures.
    other.reload()
    other.get_by_text("Ready. Press Play.").wait_for()
    play_to_the_end(other)
    assert other.evaluate(FIGURES) == figures
    changed = opened(link.split("#")[1].replace("seed=5", "seed=6"))
    play_to_the_end(changed)
    assert changed.evaluate(FIGURES) != figures


def test_play_pauses_and_the_status_states_the_best_step(opened):
    page = opened("network=sine&noise=0.4&rate=0.001&width=16")
    assert "steps per second" not in page.locator("#summary").inner_text()
    page.get_by_role("button", name="Play", exact=True).click()
    # The speed stands there after a second, and goes when the training pauses.
    page.get_by_text(re.compile(r"^Step [\d,]+ \([\d,]+ steps per second\): the error is")).wait_for()
    page.get_by_role("button", name="Pause").click()
    assert "steps per second" not in page.locator("#summary").inner_text()
    page.get_by_text(
        re.compile(r"^Paused at step [\d,]+: the error .* smallest so far was .* at step")
    ).wait_for()
    step = page.evaluate(FIGURES)[0]
    page.get_by_role("button", name="One step").click()
    assert page.evaluate(FIGURES)[0] == step + 1
    page.get_by_role("button", name="Restart").click()
    assert page.evaluate(FIGURES)[0] == 0


def test_the_prediction_stands_there_before_the_training(opened):
    page = opened("network=fourier&sigma=8&optimizer=gd&rate=0.1")
    cells = page.locator("#bands tr").nth(1).locator("td").all_inner_texts()
    page.wait_for_timeout(200)
    cells = page.locator("#bands tr").nth(1).locator("td").all_inner_texts()
    assert int(cells[2].replace(",", "")) > 0
    assert cells[3] == "–"


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ("signal=none&width=64", "signal"),
        ("width=63", "width"),
        ("rate=1e9", "rate"),
        ("seed=-1", "seed"),
        ("signal=drawn&points=AAAA", "points"),
        ("signal=<img src=x onerror=alert(1)>", "signal"),
        ("<script>alert(1)</script>=1", "scriptalert1script"),
        ("__proto__=1", "__proto__"),
    ],
)
def test_a_bad_address_is_ignored_with_a_message(opened, state, named):
    page = opened(state)
    page.get_by_text(f"not valid: {named}").wait_for()
    assert page.locator("img, main script").count() == 0
    assert page.evaluate("() => location.hash.includes('signal=tones')")


def test_it_is_operated_by_keyboard_alone(opened):
    page = opened("steps=20&width=16")
    page.locator("#fit").focus()
    for key in ["ArrowRight", "ArrowUp", "ArrowUp"]:
        page.keyboard.press(key)
    page.get_by_text(re.compile("^Point 2 of 32: ")).wait_for()
    assert page.evaluate("() => location.hash.includes('signal=drawn')")
    page.get_by_role("button", name="Play", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("^Stopped at step 20")).wait_for()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_it_is_accessible_and_fits(opened, width, dark):
    page = opened("steps=10&width=16", width=width, dark=dark)
    play_to_the_end(page)
    page.locator("#teachers summary").click()
    result = Axe().run(page)
    assert [v["id"] for v in result.response["violations"]] == []
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


def test_each_experiment_of_the_teachers_is_a_valid_state(opened):
    page = opened()
    links = page.locator("a[data-state]")
    assert links.count() == 5
    for link in links.all():
        read = page.evaluate("(hash) => overtoneLab.readAddress(hash).ignored", link.get_attribute("href"))
        assert read == []


def test_a_file_is_among_the_signals(opened):
    page = opened("signal=file")
    clean = page.evaluate("() => Array.from(overtoneLab.lab.samples.clean)")
    assert max(clean) == pytest.approx(1, abs=0.02)
    assert min(clean) == pytest.approx(-1, abs=0.02)


def test_the_page_refers_to_nothing_else():
    text = lab.page()
    assert (
        re.findall(r"(?:src|href)=[\"'](?!data:)[^\"']+|url\(|https?://|@import|innerHTML|eval\(", text) == []
    )
    assert "{{" not in text
    assert lab.page() == text
