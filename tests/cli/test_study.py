"""`overtone study` lists, runs, shows and reports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from overtone.studies import StudySize, catalogue
from overtone.studies._wording import SMOKE_CAVEAT, caveat_of

KEYS = {
    *(
        "name",
        "claim",
        "source",
        "verdict",
        "statistic",
        "interval",
        "criterion",
        "control_failed",
        "seconds",
    ),
}
FAST = "hat-conditioning"


def test_run_show_list_and_report_agree(call):
    ran = call("study", "run", FAST, "--size", "smoke", "--processes", 1, "--out", "kept", "--json")
    assert ran.code == 0
    (found,) = ran.json["studies"]
    assert set(found) >= KEYS
    assert found["verdict"] == "supported"
    assert found["control_failed"] is True
    assert found["interval"][0] <= found["statistic"] <= found["interval"][1]
    assert "[3/3] hat-conditioning, box functions" in ran.err
    assert "note: a smoke run shows that a study runs; its verdict means nothing." in ran.err
    where = ("--size", "smoke", "--results", "kept")
    assert call("study", "show", FAST, *where, "--json").json == {"studies": [found]}
    listed = call("study", "list", *where, "--json").json["studies"]
    assert [one["name"] for one in listed] == list(catalogue())
    assert [one["name"] for one in listed if one["verdict"] is not None] == [FAST]
    assert found in listed
    page = call("study", "report", *where, "--json").json["report"]
    assert "On uniform knots the Gram matrix" in Path(page).read_text(encoding="utf-8")
    again = call("study", "run", FAST, "--size", "smoke", "--processes", 1, "--out", "kept")
    assert again.err.splitlines() == [
        "Loading the studies.",
        "Running 1 study of size smoke: seconds.",
        "note: a smoke run shows that a study runs; its verdict means nothing.",
    ]
    assert "hat-conditioning: supported" in again.out
    assert re.search(r"^hat-conditioning +supported", call("study", "list", *where).out, re.M)
    assert "Reason" in call("study", "show", FAST, *where).out


def test_wrong_input_gets_one_sentence(call, tmp_path):
    unknown = call("study", "run", "nothing")
    assert unknown.code == 2
    assert "got 'nothing'; choose one of them, or all" in unknown.sentence
    both = call("study", "run", FAST, "--ray", "local", "--processes", 2)
    assert (both.code, both.sentence) == (2, "expected --ray or --processes, got both; choose one.")
    (tmp_path / "file").write_text("")
    no_folder = call("study", "run", FAST, "--out", "file")
    assert (no_folder.code, no_folder.sentence.startswith("--out: expected a directory, got a file; ")) == (
        2,
        True,
    )
    folder = tmp_path / "kept" / "quick"
    folder.mkdir(parents=True)
    (folder / f"{FAST}.json").write_text("{")
    damaged = call("study", "show", FAST, "--results", "kept")
    assert damaged.code == 2
    assert "expected an intact result, got a damaged one" in damaged.sentence


@pytest.mark.parametrize("verb", ["list", "show"])
def test_what_comes_with_overtone_is_shown(call, verb):
    answer = call("study", verb, *([FAST] if verb == "show" else []), "--json")
    assert answer.code == 0
    assert json.dumps(answer.json).count('"claim"') == (1 if verb == "show" else len(catalogue()))


def test_caveats_are_those_of_the_size_that_was_run(call):
    """The caveat of a study is written about its quick run."""
    for one in catalogue().values():
        assert caveat_of(one, StudySize.SMOKE) == SMOKE_CAVEAT
        assert caveat_of(one, StudySize.QUICK) == one.caveat
        assert not one.caveat or caveat_of(one, StudySize.FULL) == f"About the quick run: {one.caveat}"
    where = ("--size", "smoke", "--out", "kept", "--processes", 1)
    ran = call("study", "run", FAST, *where).out
    shown = call("study", "show", FAST, "--size", "smoke", "--results", "kept").out
    for said in (ran, shown):
        assert SMOKE_CAVEAT in " ".join(said.split())
        assert catalogue()[FAST].caveat[:40] not in " ".join(said.split())
