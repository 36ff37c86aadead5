"""`overtone compare`: candidates under one budget, and whether a network is worth it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from overtone._config import ModelConfig, StoppingConfig, TrainingConfig
from overtone._utils.text import number, plural
from overtone.cli._announcements import announce_reading, announce_trainings
from overtone.cli._completion import complete_candidates
from overtone.cli._numbered import is_default, numbered
from overtone.cli._options import (
    Verb,
    chain,
    common_flags,
    examples,
    flag,
    flags_of,
    reading_arguments,
    reading_flags,
    words,
)
from overtone.cli._output import facts, paragraph, print_json
from overtone.cli._pages import address, write_page_if_possible
from overtone.cli._source import read_measurements, read_source
from overtone.errors import InputError

if TYPE_CHECKING:
    from overtone.comparing import ComparisonResult
    from overtone.signals import Measured, Signal


def _candidate_flags(command: Any) -> Any:
    """Flags of what takes part and for how long."""
    section = "Candidates"
    return chain(
        flag(
            "--candidates",
            shell_complete=complete_candidates,
            metavar="NAME[,NAME]",
            default="gaussian,siren",
            show_default=True,
            section=section,
            help="Networks besides a plain one: an encoding (gaussian, hash-grid, positional, ...) or an activation "
            "with frequencies (siren, finer, gabor, ...). Interpolation, a smoothing spline and kernel regression "
            "always take part.",
        ),
        flags_of(
            TrainingConfig,
            section,
            ["steps", "seconds"],
            steps="Optimizer steps of each network. [default: 1000, if no --time]",
            seconds="Time of one training; each network is trained once per seed. Choosing the bandwidth, the other "
            "candidates and the page take additional time.",
        ),
        flag(
            "--parameters",
            type=int,
            section=section,
            help="Upper limit of the parameters of a network; its width follows. [default: 256 units per layer]",
        ),
        flag(
            "--seeds",
            type=int,
            default=3,
            show_default=True,
            section=section,
            help="Trainings of each network, each with another seed.",
        ),
        flag(
            "--processes",
            type=click.IntRange(min=1),
            section=section,
            help="Trainings that run in parallel. [default: one per core]",
        ),
    )(command)


def _judging_flags(command: Any) -> Any:
    """Flags of what candidates are judged by."""
    section = "Judging"
    return chain(
        flags_of(
            StoppingConfig,
            section,
            ["held_out"],
            held_out="Fraction of the samples kept out of training, on which candidates are scored.",
        ),
        flag(
            "--blocks",
            type=int,
            metavar="SIDE",
            section=section,
            help="Hold out boxes with this many samples per side.",
        ),
        flag(
            "--strided",
            is_flag=True,
            section=section,
            help="Train on every second sample along each axis and hold out the others.",
        ),
        flag(
            "--clean",
            type=click.Path(),
            metavar="FILE",
            section=section,
            help="The noise-free version of SOURCE, to score against; never trained on.",
        ),
        flag(
            "--noise",
            type=float,
            metavar="FRACTION",
            section=section,
            help="Add white noise with this standard deviation, as a fraction of the range of the values, and score "
            "against SOURCE without it.",
        ),
    )(command)


@click.command(
    "compare",
    cls=Verb,
    short_help="Compare networks, interpolation and kernels.",
    epilog=examples(
        "overtone compare photo.jpg --time 60",
        "overtone compare photo.jpg --strided --candidates gaussian,hash-grid",
        "overtone compare speech.wav --blocks 200 --noise 0.1",
        "overtone compare sinogram.npz --steps 500",
    ),
)
@click.argument("source", required=False, type=click.Path())
@chain(_candidate_flags, flags_of(ModelConfig, "Candidates", ["choose"]), _judging_flags, reading_flags)
@flag(
    "--out",
    type=click.Path(),
    metavar="DIR",
    default="comparison",
    show_default=True,
    section="Output",
    help="Directory for results and report; finished parts are not repeated. If it is omitted, other samples get a "
    "directory of their own, comparison-002 and so on.",
)
@flag("--overwrite", is_flag=True, section="Output", help="Replace an earlier comparison in --out.")
@common_flags
@click.pass_context
def compare_command(
    context: click.Context, source: str | None, as_json: bool, out: str, **options: Any
) -> None:
    """Fit networks and simpler methods to a part of SOURCE and score them on held-out samples.

    The verdict names the best candidate and says whether a network is recommended. After an interruption the same
    command continues.
    """
    read_with = reading_arguments(options)
    split = {name: options.pop(name) for name in ("blocks", "strided", "clean", "noise")}
    _check_flags(options, **split)
    announce_reading(source)
    from overtone._sweeps import Local
    from overtone.comparing import compare as run
    from overtone.comparing._candidates import select_candidates
    from overtone.comparing._directory import ComparisonDirectory
    from overtone.comparing._task import ComparisonTask
    from overtone.fitting._prepare import hold_out
    from overtone.planning import Budget
    from overtone.signals import require_grid

    # Refused before the file is read, which may take long.
    select_candidates([name for name in words(options["candidates"]) if name])
    if (problem := read_measurements(source, read_with, split["clean"])) is not None:
        _compare_measurements(context, problem, out, options, split, as_json)
        return
    numbered_out = is_default(context, "out") and not options["overwrite"]
    if not numbered_out:
        ComparisonDirectory(Path(out)).check_free()
    signal = _prepare_signal(source, read_with, options["held_out"], options["seed"], **split)
    if numbered_out:
        task = ComparisonTask.without_bandwidth(
            hold_out(require_grid(signal, "a comparison"), options["held_out"], options["seed"])
        )
        # The same comparison is continued, another one gets a directory of its own.
        out = next(name for name in numbered(out) if ComparisonDirectory(Path(name)).accepts(task))
    names = [name for name in words(options.pop("candidates")) if name]
    trainings = options["seeds"] * sum(one.trained for one in select_candidates(names).values())
    announce_trainings(signal, trainings, options["seconds"], options["processes"])
    # What is left in `options` afterwards are the arguments of `compare` by their own names.
    workers = Local(options.pop("processes"))
    limits = {name: options.pop(name) for name in ("steps", "seconds", "parameters")}
    comparison = run(
        signal,
        out,
        candidates=names,
        budget=Budget(**limits),
        workers=workers,
        progress=True,
        **options,
    )
    page = write_page_if_possible(comparison.report, "the same command, which does not train again")
    if as_json:
        print_json(_document(comparison, page) | {"seed": options["seed"]})
    else:
        click.echo(_text(comparison, page))


def _compare_measurements(
    context: click.Context,
    problem: Measured,
    out: str,
    options: dict[str, Any],
    split: dict[str, Any],
    as_json: bool,
) -> None:
    """Compare on measurements and answer."""
    from overtone.comparing import compare as run
    from overtone.comparing._directory import ComparisonDirectory
    from overtone.comparing._measured import SamplesTask
    from overtone.planning import Budget

    for name in ("blocks", "strided", "noise"):
        if split[name]:
            raise InputError("flags that apply to measurements", f"--{name}", "leave it out", problem.name)
    for name in ("choose", "processes"):
        if options.pop(name) is not None:
            raise InputError("flags that apply to measurements", f"--{name}", "leave it out", problem.name)
    if is_default(context, "out") and not options["overwrite"]:
        task = SamplesTask.of(problem, options["held_out"], options["seed"])
        out = next(name for name in numbered(out) if ComparisonDirectory(Path(name)).accepts(task))
    names = [name for name in words(options.pop("candidates")) if name]
    limits = {name: options.pop(name) for name in ("steps", "seconds", "parameters")}
    comparison = run(problem, out, candidates=names, budget=Budget(**limits), progress=True, **options)
    page = write_page_if_possible(comparison.report, "the same command, which does not train again")
    if as_json:
        print_json(_document(comparison, page) | {"seed": options["seed"]})
    else:
        click.echo(_text(comparison, page))


def _sizes(comparison: ComparisonResult) -> tuple[int, int]:
    """Numbers of samples, or of measurements, to train on and held out."""
    from overtone.comparing._measured import MeasuredTask

    if isinstance(comparison.task, MeasuredTask):
        return comparison.task.sizes
    signal = comparison.task.signal
    return len(signal.train_index), len(signal.held_out_index)


def _check_flags(
    options: dict[str, Any], *, blocks: int | None, strided: bool, clean: str | None, noise: float | None
) -> None:
    """Refuse flags that contradict each other or are out of range, before anything is imported or read."""
    if clean is not None and noise is not None:
        raise InputError("--clean or --noise", "both", "choose one")
    if blocks is not None and strided:
        raise InputError("--blocks or --strided", "both", "choose one")
    TrainingConfig(steps=options["steps"], seconds=options["seconds"], seed=options["seed"])
    StoppingConfig(options["held_out"])


def _prepare_signal(
    source: str | None,
    read_with: dict[str, Any],
    fraction: float,
    seed: int,
    *,
    blocks: int | None,
    strided: bool,
    clean: str | None,
    noise: float | None,
) -> Signal:
    """The signal with its noise and its held-out samples."""
    from overtone.signals import masks, synthetic

    signal = read_source(source, read_with, clean)
    if noise is not None:
        # Noise comes before the split, so that held-out samples are as noisy as those learned from.
        signal = synthetic.add_noise(signal, fraction_of_range=noise, seed=seed)
    if blocks is not None:
        return signal.with_held_out(masks.blocks(signal.geometry, fraction, blocks, seed))
    if strided:
        return signal.with_split(*masks.alternating(signal.geometry))
    return signal


def _document(comparison: ComparisonResult, page: Path | None) -> dict[str, Any]:
    """The JSON document of a comparison; levels in dB, best candidate first."""
    signal = comparison.task.signal
    return {
        "candidates": [
            {
                "name": score.name,
                "psnr_held_out": score.mean,
                "interval": [score.low, score.high],
                "seconds": score.seconds,
                "parameters": score.parameters,
                "network": score.trained,
                "psnr_by_seed": list(score.psnr),
                "note": score.note,
            }
            for score in comparison.scores
        ],
        "winner": comparison.winner,
        "verdict": comparison.verdict,
        "worth_a_network": comparison.decision.network_recommended,
        "margins": [
            {"better": a, "worse": b, "decibels": m.mean, "interval": [m.low, m.high], "clear": m.clear}
            for (a, b), m in comparison.margins.items()
        ],
        "failed": dict(comparison.failed),
        "samples": dict(zip(("train", "held_out"), _sizes(comparison), strict=True)),
        "noisy": comparison.task.noisy,
        "bandwidth": list(comparison.task.bandwidth),
        "bandwidths": {name: list(value) for name, value in comparison.task.bandwidths.items()},
        "unit": signal.geometry.frequency_unit,
        "comparison": str(comparison.path),
        "report": page and str(page),
    }


def _text(comparison: ComparisonResult, page: Path | None) -> str:
    """The comparison for people: the verdict, and a line for each candidate, best first.

    Args:
        comparison: The comparison.
        page: The report, if there is one.
    """
    width = max(18, *(len(score.name) + 1 for score in comparison.scores))
    level = "held-out PSNR" if comparison.judged.startswith("held-out") else "PSNR"
    lines = [f"{'candidate':<{width}}{level:>14}  {'90 % interval':<16}{'time':>9}  parameters"]
    for score in comparison.scores:
        ends = f"{score.low:.1f} to {score.high:.1f}" if score.high > score.low else "-"
        size = "-" if score.parameters is None else f"{score.parameters:,}"
        lines.append(
            f"{score.name:<{width}}{score.mean:>11.1f} dB  {ends:<16}{number(score.seconds):>7} s  {size}"
        )
    train, held_out = _sizes(comparison)
    rows = {"Samples": f"{plural(train, 'sample')} to train on, {held_out:,} held out"}
    if comparison.judged != "held-out samples":
        rows = {
            "Measurements": f"{train:,} to train on, {held_out:,} held out; scored on {comparison.judged}"
        }
    rows |= {f"Failed: {name}": why for name, why in comparison.failed.items()}
    body = "\n".join(lines)
    return f"{paragraph('Verdict', comparison.verdict)}\n\n{body}\n\n{facts(rows | address(page))}"
