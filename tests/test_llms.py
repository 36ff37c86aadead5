"""`docs/llms.txt` names only what exists."""

import re
from pathlib import Path

import overtone
from overtone.cli._main import cli

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
SITE = "https://overtone.readthedocs.io/en/latest/"


def missing_page(address):
    """The source that a page of the site is built from, if it is not there."""
    name = address.removeprefix(SITE)
    if name.endswith(".schema.json"):
        source = ROOT / "src/overtone/cli/schemas" / name
    else:
        source = ROOT / "docs" / name.replace(".html", ".md")
    return [] if source.is_file() else [name]


def missing_names(text):
    """Dotted names below `ot` that overtone does not have."""
    absent = []
    for dotted in re.findall(r"`ot\.([\w.]+)", text):
        value = overtone
        for name in dotted.split("."):
            value = getattr(value, name, None)
        absent += [dotted] if value is None else []
    return absent


def test_it_has_the_form_that_is_agreed_on():
    assert TEXT.startswith("# overtone\n\n> ")
    assert re.findall(r"^## (.*)", TEXT, re.M) == ["Documentation", "Optional"]


def test_every_link_leads_to_a_page():
    links = re.findall(r"\]\((.*?)\)", TEXT)
    assert len(links) > 5
    assert [link for link in links if not link.startswith(SITE)] == []
    assert [name for link in links for name in missing_page(link)] == []
    assert missing_page(SITE + "guide/nothing.html") == ["guide/nothing.html"]


def test_every_name_and_verb_exists():
    assert missing_names(TEXT) == []
    assert missing_names("`ot.nothing()`") == ["nothing"]
    assert set(re.findall(r"`overtone (\w+)", TEXT)) == set(cli.commands)


def test_the_calls_it_shows_run():
    from overtone import planning, signals, units

    assert units.convert(10, of="deepxde", to="tancik", domain=(-1, 1)) > 3
    assert planning.lint(signals.synthetic.harmonics([2, 5], samples=256), "siren", 30.0).findings == ()


def test_the_site_serves_it_at_its_root():
    assert (
        'html_extra_path = ["llms.txt", "../src/overtone/cli/schemas"]' in (ROOT / "docs/conf.py").read_text()
    )
