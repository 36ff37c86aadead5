"""Judge the studies again from the evidence on disk, measure what it lacks, and write everything that follows from it.

What follows: the full results in `evidence/`, the short ones that come with overtone, and `docs/results/claims.md`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overtone.studies import Study, StudyResult, StudySize, catalogue
from overtone.studies._criteria import Verdict
from overtone.studies._result import PACKAGED_RESULTS, evidence_folder
from overtone.studies._run import measure_condition
from overtone.studies._study import MET_BY_A_CONDITION, Topic
from overtone.studies._wording import positive_reason

SIZE = StudySize.QUICK
PAGE = Path(__file__).parents[1] / "docs" / "results" / "claims.md"


def measure_missing(study: Study, folder: Path) -> StudyResult:
    """Return the result with the stored rows of every situation and seed, and new ones of those that are not stored."""
    path = folder / SIZE.value / f"{study.name}.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"revision": None}
    kept = stored["measurements"] if stored["revision"] == study.revision else {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for situation in study.situations:
        by_seed = {row["seed"]: row for row in kept.get(situation.name, [])}
        for seed in study.seeds(SIZE):
            if seed not in by_seed:
                settings = {**study.sizes[SIZE].settings, **situation.settings}
                measured = measure_condition(study.module, study.name, study.revision, seed, settings)
                by_seed[seed] = {"seed": seed} | measured
                print(f"{study.name}, {situation.name}, {seed}: {measured['value']:.4g}", file=sys.stderr)
        rows[situation.name] = [by_seed[seed] for seed in study.seeds(SIZE)]
    return StudyResult.from_measurements(study, SIZE, rows)


HEAD = """# Claims, and how they are tested

`overtone study` tests claims of the literature. This page asks six questions of every
[study](../guide/studies.md); it is written by `tools/judge_studies.py` from what the studies declare and from
their results.

1. *Does the criterion test the claim?* The column says whether it tests the *claim* as worded, one *case* of
   it, or the *mechanism* behind it; statistic and criterion stand below the table.
2. *Could it fail?* The control, in which the claim must fail, has to miss the criterion. A study whose criterion
   no possible value could miss is refused.
3. *Is there a positive control?* A situation in which the criterion must be *met*. In its place a *condition*
   that meets the criterion shows that the test can be passed; where there is *none*, the reason stands below the
   table, and the claim is never refuted.
4. *Is the verdict no stronger than the run?* Every run here is smaller than the source's: a claim that no
   condition meets is "not reproduced", and "refuted" only at the source's own dimensions. "Supported" holds at
   this size and for these seeds; with *any* seed the measurement is the same. `overtone study show NAME` prints
   the caveat.
5. *Does the interval suit the statistic?* Means have Student's interval, clipped to the values that the
   statistic can have. Rank correlations have the median and the interval of the sign test, which never leaves
   [-1, 1] and needs five seeds.
6. *Are repeated judgings corrected for?* A claim that was left undecided may be judged again on fresh seeds,
   three times at most. The k-th judging has intervals of 1 - 0.1 / k (Bonferroni), so that all of them together
   decide wrongly in less than a tenth of cases. Conditions need no correction where all of them have to agree.
"""


def page(studies: Mapping[str, Study], results: Mapping[str, StudyResult], before: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        studies: The studies by name.
        results: Their results.
        before: Their verdicts under the first rules, which had neither positive controls nor a size.
    """
    now = {name: result.judgement.verdict.value for name, result in results.items()}
    tally = [
        f"| {v.value} | {Counter(before.values())[v.value]} | {Counter(now.values())[v.value]} |"
        for v in Verdict
    ]
    parts = [HEAD, "## Verdicts\n", "| verdict | first rules | now |", "|---|---|---|", *tally, ""]
    changed = [
        f"| `{n}` | {before[n]} | {now[n]} |"
        for n in studies
        if n in now and n in before and before[n] != now[n]
    ]
    parts += ["These changed:\n", "| study | first rules | now |", "|---|---|---|", *changed, ""]
    for topic in Topic:
        members = [s for s in studies.values() if s.topic is topic and s.name in results]
        parts += [f"## {topic.value}\n"]
        parts += ["| study | verdict | 1 tests | 2 control | 3 positive | 4 seeds | 5 interval | 6 judged |"]
        parts += ["|---|---|---|---|---|---|---|---|"]
        parts += [_row(study, results[study.name]) for study in members]
        parts.append("")
        for study in members:
            parts += [*_details(study, results[study.name]), ""]
    return "\n".join(parts)


def _row(study: Study, result: StudyResult) -> str:
    judgement, seeds = result.judgement, len(study.seeds(SIZE))
    control = "missed" if judgement.control_failed else "**not missed**"
    instead = "condition" if study.positive == MET_BY_A_CONDITION else "none"
    positive = {True: "met", False: "**not met**", None: instead}[judgement.positive_passed]
    cells = (
        f"`{study.name}`",
        judgement.verdict.value,
        study.tested.name.lower(),
        control,
        positive,
        f"{seeds}" if seeds > 1 else "any",
        f"{study.average.value} {100 * study.confidence:.3g} %",
        f"{study.judgings}",
    )
    return f"| {' | '.join(cells)} |"


def _details(study: Study, result: StudyResult) -> list[str]:
    """Return the claim and its numbers as a list."""
    low, high = (f"{end:g}" if math.isfinite(end) else "anything" for end in study.limits)
    limits = f" Possible are {low} to {high}." if "anything" not in (low, high) else ""
    if (low == "anything") != (high == "anything"):
        limits = f" Possible is {'at most ' + high if low == 'anything' else 'at least ' + low}."
    measured = "; ".join(f"{name}: {interval}" for name, interval in result.intervals.items())
    positive = positive_reason(study)
    if study.positive_control is not None and result.positive is not None:
        positive = f"{study.positive_control.name}: {result.positive}"
    undecidable = [f"- Undecided because {study.undecidable}"] if study.undecidable else []
    return [
        f"**`{study.name}`** {study.claim}",
        "",
        f"- Criterion: {study.statistic}: {study.criterion}.{limits}",
        f"- Measured: {measured}.",
        f"- Control: {study.control.name}: {result.control}.",
        f"- Positive control: {positive.rstrip('.')}.",
        *undecidable,
    ]


def main() -> None:
    """Judge all studies, or measure the missing rows of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", nargs="*", help="studies whose missing measurements are made")
    names = parser.parse_args().measure
    folder = evidence_folder()
    if folder is None:
        raise SystemExit("Run this in a checkout, after: overtone study run all --size quick --out evidence")
    results: dict[str, StudyResult] = {}
    for study in catalogue().values():
        result = (
            measure_missing(study, folder) if study.name in names else StudyResult.load(study, SIZE, folder)
        )
        if result is None:
            print(f"{study.name}: no result of revision {study.revision}", file=sys.stderr)
            continue
        results[study.name] = result
        result.save(folder)
        result.save(PACKAGED_RESULTS, short=True)
    before = json.loads((folder / "first_verdicts.json").read_text(encoding="utf-8"))
    PAGE.write_text(page(catalogue(), results, before), encoding="utf-8")


if __name__ == "__main__":
    main()
