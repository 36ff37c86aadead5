"""Every figure that a page, the command line or a JSON answer tells of a run, by the name it is told under."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

LEVEL = r"(-?[\d.]+) dB"


def page_text(page: Path) -> str:
    """What a reader of a page sees, a line an element."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"</(p|div|dd|dt|li|h\d|tr|figcaption|td|th|b|section|dl)>|<p ", "\n", text)
    return re.sub(r"\n\s*\n+", "\n", html.unescape(re.sub(r"<[^>]*>", "", text)))


def told(text: str) -> dict[str, set[str]]:
    """Figures by name, from any text about one run."""
    found: dict[str, set[str]] = defaultdict(set)
    flat = " ".join(text.split())
    for level, samples in re.findall(
        rf"{LEVEL} (?:on |\()(the clean reference at [a-z-]+ samples|training samples|held-out samples|all samples)",
        flat,
    ):
        found[f"PSNR, {samples}"].add(level)
    for samples, level in re.findall(
        rf"PSNR, (clean reference at [a-z-]+ samples|training samples|held-out samples|all samples)\n{LEVEL}",
        text,
    ):
        found[f"PSNR, {'the ' * samples.startswith('clean')}{samples}"].add(level)
    for step, level in re.findall(rf"Step ([\d,]+) ?\n?PSNR {LEVEL} over all samples", text):
        found[f"PSNR of step {step}, over all samples"].add(level)
    for step, level in re.findall(rf"at step ([\d,]+) the prediction reaches {LEVEL} PSNR over all", flat):
        found[f"PSNR of step {step}, over all samples"].add(level)
    for seconds in re.findall(r"(?:Training time\n|steps? in )([\d.,]+) s\b", text):
        found["training time"].add(seconds)
    for share in re.findall(r"\d of \d+ bands, which holds? ([\d.]+%)", flat):
        found["power in learned bands"].add(share)
    found["power in learned bands"] |= set(re.findall(r"Power in learned bands\n(.+)", text))
    for learned, every in re.findall(r"(\d+) of (\d+) bands", flat):
        found["bands learned"].add(f"{learned} of {every}")
    for reach in re.findall(r"every band up to ([\d.,]+) \S[^,.]*, where|Learned up to\n([\d.,]+)", text):
        found["learned up to"].add("".join(reach))
    for deviation in re.findall(r"(?:standard deviation |Noise \(std\)\n)([\d.]+)(?= \(between|\)|\n)", text):
        found["noise"].add(deviation)
    for step in re.findall(
        r"(?:handed back|the network of|Step of the restored network) ?\n?step (\d[\d,]*\d|\d)", text
    ):
        found["step of the network"].add(step)
    return dict(found)


def told_in_json(answer: dict[str, Any]) -> dict[str, set[str]]:
    """The figures of a JSON answer of fit, rounded as they are told to people."""
    named = {"train": "training samples", "held_out": "held-out samples"}
    found = {
        f"PSNR, {samples}": {f"{answer['psnr'][name]:.1f}"}
        for name, samples in named.items()
        if answer["psnr"][name] is not None
    }
    bands = [b for b in answer["bands"] if b["low"] > 0 and b["relative_error"] is not None]
    learned = sum(band["relative_error"] < 0.5 for band in bands)
    found["bands learned"] = {f"{learned} of {len(bands)}"}
    assert sum(band["learning_step"] is not None for band in bands) == learned
    for sentence in answer["verdict"]:
        for name, values in told(sentence).items():
            found.setdefault(name, set()).update(values)
    return found


def united(*parts: dict[str, set[str]]) -> dict[str, set[str]]:
    """All figures of several texts about one run."""
    found: dict[str, set[str]] = defaultdict(set)
    for part in parts:
        for name, values in part.items():
            found[name] |= values
    return dict(found)


def differing(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Names under which more than one value is told."""
    return {name: values for name, values in found.items() if len(values) > 1}


def answer_of(text: str) -> dict[str, Any]:
    """The one JSON document of an answer."""
    found: dict[str, Any] = json.loads(text)
    return found
