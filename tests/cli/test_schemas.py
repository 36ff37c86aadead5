"""Every answer with --json is one that its published schema describes, and nothing else is."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import sys
from pathlib import Path

import click
import jsonschema
import numpy as np
import pytest
from PIL import Image

from overtone._sweeps import Local
from overtone.cli._main import cli
from overtone.cli._schema import answer_schemas
from tests.cli.calling import TINY, ask, waves

SCHEMAS = answer_schemas()
ROOT = Path(__file__).parents[2]


def verbs_with_json():
    for name, command in cli.commands.items():
        below = command.commands if isinstance(command, click.Group) else {"": command}
        for inner, each in below.items():
            if any(p.name == "as_json" for p in each.params):
                yield f"{name}-{inner}".strip("-")


def valid(verb, document):
    """Refuse a document that the schema does not describe."""
    jsonschema.Draft202012Validator(SCHEMAS[verb]).validate(document)
    return document


def answered(verb, *words):
    answer = ask(*verb.split("-"), *words, "--json")
    assert answer.code == 0, answer.err
    return valid(verb, answer.json)


@pytest.fixture
def here(tmp_path, monkeypatch, no_page):
    """A folder with one source of each kind."""
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    np.save("noisy.npy", waves((32, 32), noise=0.2, channels=2))
    np.save("short.npy", waves((2, 3)))
    Image.fromarray((200 * waves((16, 20))).astype(np.uint8)).save("photo.png")
    times = np.arange(64) / 8
    rows = np.column_stack([times, np.sin(times), np.cos(3 * times)])
    np.savetxt("series.csv", rows, delimiter=",", header="t,a,b", comments="")
    return tmp_path


def test_every_verb_with_json_has_a_schema_and_no_schema_is_left_over():
    assert set(verbs_with_json()) == set(SCHEMAS)


@pytest.mark.parametrize("verb", SCHEMAS)
def test_schemas_are_valid_closed_and_explained(verb):
    schema = SCHEMAS[verb]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(f"/{verb}.schema.json")
    assert schema["title"] == f"Answer of overtone {verb.replace('-', ' ')}"

    def visit(part):
        if "properties" in part:
            assert part["additionalProperties"] is False
            for name, inner in part["properties"].items():
                assert inner.get("description", inner.get("$ref")), name
        for inner in (*part.get("properties", {}).values(), *part.get("$defs", {}).values()):
            visit(inner)
        if "items" in part:
            visit(part["items"])

    visit(schema)


def test_scans(here):
    assert "plan" in answered("scan", "waves.npy", "--time", "1")
    noise = {
        name: answered("scan", name)["noise"]["verdict"] for name in ("noisy.npy", "photo.png", "series.csv")
    }
    assert noise["noisy.npy"] == "noise"
    assert answered("scan", "short.npy")["oscillation"] is None


def test_fits(here):
    plain = answered("fit", "waves.npy", *TINY, "--steps", 3)
    assert plain["psnr"]["held_out_clean"] is None
    answered("fit", "noisy.npy", *TINY, "--steps", 3, "--out", "b", "--encoding", "none", "--held-out", 0)
    answered("fit", "series.csv", *TINY, "--steps", 3, "--out", "c", "--columns", "a")
    answered("fit", "series.csv", *TINY, "--steps", 3, "--out", "d", "--inputs", "t,a")
    answered("report", "run", "b", "c", "d")
    changed = copy.deepcopy(plain)
    changed["kept_step"] = changed.pop("kept")
    with pytest.raises(jsonschema.ValidationError):
        valid("fit", changed)
    for path, value in ((("steps",), "3"), (("psnr", "train"), "high"), (("bands", 0, "lower"), 1.0)):
        changed = copy.deepcopy(plain)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            valid("fit", changed)


def test_predictions(here):
    common = ("waves.npy", *TINY, "--steps", 10)
    assert answered("predict", *common)["diverges_at"] is None
    answered("fit", *common)
    assert "agreement" in answered("predict", *common, "--run", "run")
    sgd = ("waves.npy", *TINY[:-2], "--steps", 20, "--optimizer", "sgd")
    assert answered("predict", *sgd, "--lr", "1000", "--batch", 20)["diverges_at"] is not None


def test_comparisons(here, monkeypatch):
    from overtone.comparing._compare import SerialWorkers

    monkeypatch.setattr(Local, "run", lambda self, tasks: SerialWorkers().run(tasks))
    quick = ("--candidates", "gaussian", "--steps", 50, "--seeds", 1, "--parameters", 6000)
    assert answered("compare", "waves.npy", *quick)["candidates"]


def test_studies(here):
    smoke = ("--size", "smoke")
    ran = answered("study-run", "hat-conditioning", *smoke, "--processes", 1, "--out", "kept")
    assert ran["failed"] == []
    answered("study-list", *smoke, "--results", "kept")
    answered("study-list")
    answered("study-show", "hat-conditioning", *smoke, "--results", "kept")
    assert answered("study-report", *smoke, "--results", "kept")["report"] == "studies.html"


def test_verified_fields(here):
    fields = np.random.default_rng(0).standard_normal((4, 1, 16, 16))
    np.save("truth.npy", fields)
    np.save("forecast.npy", 0.7 * np.roll(fields, 1, -1))
    np.savez("one.npz", a=np.ones((1, 8, 8)))
    answered("verify", "forecast.npy", "truth.npy", "--periodic")
    answered("verify", "truth.npy", "truth.npy", "--spacing", 5, "--unit", "km")
    answered("verify", "one.npz", "one.npz")


def test_conversions_and_checks(here):
    for words in (
        ("10", "--from", "deepxde", "--to", "tancik", "--domain", "-1,1"),
        ("30", "--from", "siren", "--to", "nerf", "--inputs", "2"),
        ("10", "--from", "nerf", "--to", "finer-posenc"),
    ):
        answered("convert", *words)
    for value in ("0.1", "0.75", "4.7", "400"):
        answered("lint", "waves.npy", "--library", "tancik", "--value", value, "--precision", "float16")
    answered("lint", "series.csv", "--library", "nerf", "--value", 3, "--steps", 2, "--batch", 3)


@pytest.mark.parametrize(
    "words", [("scan", "absent.npy"), ("fit", "waves.npy", "--steps", "0"), ("study", "show", "nothing")]
)
def test_a_refusal_prints_no_document(here, words):
    answer = ask(*words, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.sentence


def test_schema_prints_what_is_published():
    assert json.loads(ask("schema", "study", "list").out) == SCHEMAS["study-list"]
    listed = ask("schema").out
    assert all(f"\n{name.replace('-', ' ')} " in f"\n{listed}" for name in SCHEMAS)
    refused = ask("schema", "nothing")
    assert (refused.code, refused.sentence.startswith("expected a verb with --json (compare, ")) == (2, True)


def test_the_page_shows_the_schemas():
    spec = importlib.util.spec_from_file_location("json_page", ROOT / "tools" / "json_page.py")
    tool = importlib.util.module_from_spec(spec)
    sys.modules["json_page"] = tool
    spec.loader.exec_module(tool)
    assert (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8") == tool.page(SCHEMAS), (
        "run: python tools/json_page.py"
    )
    changed = copy.deepcopy(SCHEMAS)
    changed["scan"]["properties"]["width"] = {"type": "number", "description": "Another key."}
    assert tool.page(changed) != tool.page(SCHEMAS)


def test_the_refusal_on_the_page_is_the_real_one(here):
    words, shown = re.search(
        r"^\$ overtone (.*)\n(Reading .*\n.*\n)", (ROOT / "docs" / "reference" / "json.md").read_text(), re.M
    ).groups()
    answer = ask(*words.split())
    assert (answer.code, answer.out, answer.err) == (2, "", shown)
