"""Compare two checkouts of overtone by what they do: `python tools/golden.py OLD NEW [--quick]`.

The same jobs (scan, fit, predict, resume, compare, study and probes on ten signals by seed) run with the sources of
each checkout, one after the other on this machine with one thread. Weights, records, settings, answers and reports are
compared bit for bit. One line a job says `same`, or the first key that differs with both values. The exit status is 1
if anything differs that is not listed in `golden_changes.toml`.

    python tools/golden.py ../overtone-before .              all jobs: about six minutes on one core
    python tools/golden.py ../overtone-before . --quick      a part in about a minute
    python tools/golden.py ../overtone-before . --only "fit sine" "scan *"
    python tools/golden.py ../overtone-before . --rewording  sentences may change, the numbers in them may not
    python tools/golden.py --expected . tests/golden/expected.json   write the numbers of the test suite again

`golden_jobs.py` holds the jobs, `golden_differences.py` what is left out of the comparison and why.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.golden_differences import Difference, differences, flatten, read, shown
from tools.golden_jobs import JOBS, Job, folder_of, write_signals

TOOLS = Path(__file__).parent


@dataclass(frozen=True)
class Meant:
    """A change that was meant: patterns of jobs and of keys, and why."""

    job: str
    key: str
    reason: str

    def holds(self, job: str, difference: Difference) -> bool:
        """Whether a difference is of this kind."""
        return fnmatch.fnmatch(job, self.job) and fnmatch.fnmatch(difference.key, self.key)


NUMBERS = {
    "scan *": ("bandwidth/*", "noise/std", "mean_square/0", "bands/1/power/0", "settings/sigma/0"),
    "fit *": (
        "bandwidth/*",
        "parameters",
        "kept",
        "steps",
        "psnr/train",
        "psnr/held_out",
        "bands/1/learned_fraction",
        "bands/1/relative_error",
    ),
    "predict *": ("stop", "bands/1/learning_step", "bands/2/learning_step", "largest_stable_rate"),
}
"""Keys of the answers whose numbers the test suite expects, by patterns of jobs."""

TESTED = (
    *(job.name for job in JOBS if job.name.startswith("scan ") and job.name != "scan spacing"),
    "fit table.csv",
    "fit tones.csv",
    "fit colour.png",
    "fit finer",
    "fit hash-grid",
    "fit controller",
    "predict picture.npy",
)
"""The jobs whose numbers the test suite expects."""


def run_jobs(tree: Path, names: list[str], signals: Path, out: Path, python: str) -> None:
    """Do jobs with the sources of one checkout.

    Args:
        tree: The checkout; its `src` goes on the path.
        names: Of the jobs.
        signals: Folder of the signals.
        out: Folder of the results, one for each job.
        python: The interpreter.
    """
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "80"}
    work = out.parent / "work"  # the same path for both, since it may be written into results
    command = [python, str(TOOLS / "golden_jobs.py"), str(signals), str(work), *names]
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"golden: expected the jobs of {tree} to end, got exit status {done.returncode}")
    source = Path((work / "source.txt").read_text())
    if not source.is_relative_to(
        tree
    ):  # an installed copy that precedes PYTHONPATH would be compared with itself
        raise SystemExit(f"golden: expected the sources of {tree}, got {source}; use --python")
    work.rename(out)


def same_network(folder: Path, job: Job) -> list[Difference]:
    """Where two runs of one job that must end alike have other weights."""
    if job.same is None:
        return []
    one, other = ({k: v for k, v in read(folder / name).items() if "/network." in k} for name in job.same)
    if not one:
        return [Difference("network", "weights", "none written")]
    return [Difference(f"{job.same}: {d.key}", d.old, d.new) for d in differences(one, other)]


def failure(values: dict[str, Any]) -> str:
    """Why a job broke, empty if it did not."""
    exits = (text for key, text in values.items() if key.startswith("errors-") and not key.endswith("/file"))
    refused = next((text for text in exits if not text.startswith("exit 0")), "")
    return str(values.get("failed.txt", refused) if values else "nothing was written")


def compare(
    old: Path, new: Path, jobs: list[Job], meant: list[Meant], *, rewording: bool, every: bool
) -> int:
    """Print one line a job, and return how many jobs differ in a way that was not meant."""
    failed = 0
    for job in jobs:
        folders = old / folder_of(job), new / folder_of(job)
        values = [read(folder) for folder in folders]
        # A job that breaks in the same way on both sides would compare as equal and test nothing.
        broken = failure(values[0]) and failure(values[1])
        apart = [*differences(*values), *same_network(folders[1], job)]
        unmeant = [d for d in apart if not any(m.holds(job.name, d) for m in meant)]
        if rewording:
            unmeant = [d for d in unmeant if not d.words]
        failed += bool(unmeant or broken)
        number = f" ({len(apart) - len(unmeant)} meant)" if len(apart) > len(unmeant) else ""
        if broken:
            print(f"{job.name}: fails in both: {broken}")
        elif not unmeant:
            print(f"{job.name}: same, {len(values[1])} values{number}")
        else:
            print(f"{job.name}: {len(unmeant)} of {len(values[1])} values differ{number}")
        for d in unmeant if every else unmeant[:1]:
            print(f"    {d.key}\n        old {shown(d.old, d.new)}\n        new {shown(d.new, d.old)}")
    print(f"{len(jobs) - failed} of {len(jobs)} jobs are the same but for what was meant.")
    return failed


def write_expected(out: Path, results: Path) -> None:
    """Write the numbers that the test suite expects, from the results of jobs."""
    expected: dict[str, dict[str, Any]] = {}
    for name in TESTED:
        job = next(job for job in JOBS if job.name == name)
        patterns = next(keys for pattern, keys in NUMBERS.items() if fnmatch.fnmatch(name, pattern))
        answer = json.loads((results / folder_of(job) / "answer-0.json").read_text())
        values = {k.removeprefix("answer/"): v for k, v in flatten(answer, "answer")}
        expected[name] = {
            key: value
            for key, value in values.items()
            if any(fnmatch.fnmatch(key, p) for p in patterns) and not isinstance(value, str)
            if not key.endswith("/length")
        }
    out.write_text(json.dumps(expected, indent=1) + "\n")
    print(f"golden: {sum(map(len, expected.values()))} numbers of {len(expected)} jobs in {out}")


def main() -> int:
    """Run both checkouts and compare; 1 if something differs that was not meant."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path, help="a checkout; with --expected the only one")
    parser.add_argument("new", type=Path, help="the other; with --expected the file to write")
    parser.add_argument("--quick", action="store_true", help="a part of the jobs")
    parser.add_argument("--only", nargs="+", metavar="JOB", help="jobs by name or pattern")
    parser.add_argument(
        "--rewording", action="store_true", help="let sentences change, but no number in them"
    )
    parser.add_argument(
        "--all", action="store_true", help="print every difference, not the first of each job"
    )
    parser.add_argument(
        "--expected", action="store_true", help="write the numbers that the test suite expects"
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter; this one if left out")
    parser.add_argument("--python-old", help="the interpreter of OLD, if it is another")
    parser.add_argument(
        "--changes", type=Path, default=TOOLS / "golden_changes.toml", help="the meant changes"
    )
    parser.add_argument("--keep", type=Path, help="an empty folder in which the results stay")
    arguments = parser.parse_args()
    jobs = [job for job in JOBS if job.quick or not arguments.quick]
    if arguments.expected:
        jobs = [job for job in JOBS if job.name in TESTED]
    if arguments.only:
        jobs = [job for job in jobs if any(fnmatch.fnmatch(job.name, pattern) for pattern in arguments.only)]
    if not jobs:
        raise SystemExit(f"golden: expected names of jobs, got {arguments.only}; see JOBS in golden_jobs.py")
    names = [job.name for job in jobs]
    meant = [Meant(**entry) for entry in tomllib.loads(arguments.changes.read_text()).get("change", [])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)).resolve()
        write_signals(folder / "signals")
        old = arguments.python_old or arguments.python
        run_jobs(arguments.old.resolve(), names, folder / "signals", folder / "old", old)
        if arguments.expected:
            write_expected(arguments.new, folder / "old")
            return 0
        run_jobs(arguments.new.resolve(), names, folder / "signals", folder / "new", arguments.python)
        results = folder / "old", folder / "new"
        return int(compare(*results, jobs, meant, rewording=arguments.rewording, every=arguments.all) > 0)


if __name__ == "__main__":
    sys.exit(main())
