"""Pages as files: whole, small, escaped, and honest about what cannot be read or written."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markupsafe import escape
from plotly.offline import get_plotlyjs

from overtone import reports
from overtone._utils.text import number
from overtone.errors import InputError, RunError
from overtone.records import Writer, load, to_netcdf
from overtone.reports._page import distinct, plotly_script, write_html
from tests.records.toy import toy_header
from tests.reports import gallery

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}%{y}"


def test_the_library_travels_whole() -> None:
    assert gzip.decompress(base64.b64decode(plotly_script())).decode() == get_plotlyjs()


@pytest.mark.parametrize("name", ["picture", "wide", "audio", "series", "volume"])
def test_one_file_with_the_verdict_and_every_section(
    runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    page = reports.report(runs[name], tmp_path / "deep" / "report.html")
    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 6e6
    for sentence in reports.verdict(load(runs[name])):
        assert escape(sentence) in text
    for heading in (
        "Frequencies",
        "Errors over training",
        "Band by band",
        "Settings",
        "Provenance",
        "Glossary",
    ):
        assert f">{heading}</h2>" in text
    assert ("Reconstruction</h2>" in text) == (name != "wide")
    assert [p.name for p in page.parent.iterdir()] == ["report.html"]


def test_the_plan_and_its_reasons_stand_before_the_first_section(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    text = reports.report(runs["picture"], tmp_path / "r.html").read_text(encoding="utf-8")
    first = text.partition("<section")[0]
    assert re.search(r'<div class="why"><b>Plan: bandwidth [\d.]+ cycles per picture height\.</b>', first)
    for reason in load(runs["picture"]).attrs["reasons"]:
        assert escape(reason) in first
    bare = gallery.picture(tmp_path / "run", 16, steps=20, bands=5, reasons=[])
    assert 'class="why"' not in reports.report(bare, tmp_path / "bare.html").read_text(encoding="utf-8")


def test_nothing_is_fetched(runs: dict[str, Path], tmp_path: Path) -> None:
    text = reports.report(runs["picture"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert not re.findall(r"url\(|@import", text)


def test_several_paths_make_a_comparison(runs: dict[str, Path], tmp_path: Path) -> None:
    text = reports.report([runs["picture"], runs["wide"]], tmp_path / "both.html").read_text(encoding="utf-8")
    assert "2 runs compared" in text
    assert "Run by run" in text


def test_exported_records_are_reported_without_reconstruction(runs: dict[str, Path], tmp_path: Path) -> None:
    to_netcdf(load(runs["picture"]), tmp_path / "run.nc")
    text = reports.report(tmp_path / "run.nc", tmp_path / "nc.html").read_text(encoding="utf-8")
    assert "Reconstruction</h2>" not in text
    assert escape(reports.verdict(load(runs["picture"]))[0]) in text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    hostile = dict.fromkeys(
        ("signal", "network", "frequency_unit", "value_unit", "noise_sentence", "created", "odd"), HOSTILE
    )
    listed = {
        "reasons": [HOSTILE],
        "notes": [HOSTILE],
        "versions": {HOSTILE: HOSTILE},
        "noise_verdict": "cannot_tell",
    }
    path = gallery.picture(tmp_path / "run", 16, steps=20, bands=5, **(hostile | listed))
    text = reports.report(path, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "49" not in text.partition("</header>")[0].partition("<body>")[2]
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text
    for found in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL):
        json.loads(found)


def test_a_record_of_one_row_is_reported(tmp_path: Path) -> None:
    with Writer.create(tmp_path / "record.sqlite", toy_header()) as writer:
        writer.append(0, {"residual_power": toy_header().static["target_power"]})
    assert "nothing yet" in reports.report(tmp_path, tmp_path / "r.html").read_text(encoding="utf-8")


def test_an_empty_record_is_refused(tmp_path: Path) -> None:
    Writer.create(tmp_path / "record.sqlite", toy_header()).close()
    with pytest.raises(InputError, match="at least one row"):
        reports.report(tmp_path, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_no_paths_and_wrong_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least one record, got none"):
        reports.report([], tmp_path / "r.html")
    with pytest.raises(InputError, match="no such file"):
        reports.report(tmp_path / "absent", tmp_path / "r.html")


def test_a_folder_is_no_place_for_a_page(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file name for the report, got a folder; pass"):
        reports.report(runs["wide"], tmp_path)


def test_a_full_disk_is_reported_and_the_old_page_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = write_html(tmp_path / "r.html", "old")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device; free some space or choose another path"):
        write_html(page, "new")
    assert page.read_text() == "old"
    assert list(tmp_path.iterdir()) == [page]


def test_a_file_in_the_way_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="expected a place the report can be written to"):
        write_html(tmp_path / "file" / "r.html", "x")


def test_a_page_replaces_an_older_one_whole(tmp_path: Path) -> None:
    write_html(tmp_path / "r.html", "long " * 100)
    assert write_html(tmp_path / "r.html", "short").read_text() == "short"


def test_runs_of_the_same_name_are_told_apart() -> None:
    assert distinct(["run", "run", "other"]) == ["run (1)", "run (2)", "other"]
    assert len(set(distinct(["a", "a", "a (1)"]))) == 3


def test_key_numbers_are_those_of_the_record(runs: dict[str, Path], tmp_path: Path) -> None:
    record = load(runs["picture"])
    text = reports.report(runs["picture"], tmp_path / "r.html").read_text(encoding="utf-8")
    tiles = dict(re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)(?: <small>.*?)?</dd></div>", text))
    assert tiles["Steps"] == f"{int(record.step[-1]):,}"
    assert tiles["Parameters"] == f"{record.attrs['parameters']:,}"
    assert tiles["Nyquist"] == "32"
    assert tiles["Noise (std)"] == number(record.attrs["noise_std"], 2)


def test_reports_need_no_torch() -> None:
    code = "import sys, overtone.reports; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("verdict", "shown"), [("noise", "0.05"), ("clean", "none found"), ("cannot_tell", "cannot tell")]
)
def test_a_noise_level_is_shown_only_where_there_is_noise(verdict: str, shown: str, tmp_path: Path) -> None:
    path = gallery.picture(tmp_path / "run", 16, steps=20, bands=5, noise_verdict=verdict)
    text = reports.report(path, tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.search(rf"<dt>Noise[^<]*</dt><dd>{shown}</dd>", text)
