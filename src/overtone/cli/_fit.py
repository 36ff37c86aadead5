"""`overtone fit`: train, record, report; or resume a run."""

from __future__ import annotations

import os
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from overtone._config import Choosing, FitConfig
from overtone._utils.text import decibels, format_per_axis, number, plural
from overtone.cli._announcements import (
    announce,
    announce_choice,
    announce_measurements,
    announce_reading,
)
from overtone.cli._completion import complete_run
from overtone.cli._numbered import is_default, newest, reserved
from overtone.cli._options import (
    NETWORK,
    READING,
    Numbers,
    Verb,
    chain,
    common_flags,
    examples,
    flag,
    reading_arguments,
    reading_flags,
    training_flags,
    words,
)
from overtone.cli._output import facts, paragraph, print_json
from overtone.cli._pages import address, write_page_if_possible
from overtone.cli._source import read_measurements, read_samples
from overtone.errors import InputError

if TYPE_CHECKING:
    from overtone.fitting import Run
    from overtone.fitting._settings import Fields, RunSettings
    from overtone.fitting._wall_clock import WallClock
    from overtone.signals import Geometry, Measured, Signal

INTERRUPTED = 130

OUTPUT = chain(
    flag(
        "--out",
        type=click.Path(),
        shell_complete=complete_run,
        metavar="DIR",
        default="run",
        show_default=True,
        section="Output",
        help="Directory for record, checkpoint, settings and report. If it is omitted and there is a run already, "
        "run-002 and so on.",
    ),
    flag(
        "--resume",
        is_flag=True,
        section="Output",
        help="Continue the run in --out, or the newest one, without SOURCE. --steps and --time may be raised.",
    ),
    flag("--overwrite", is_flag=True, section="Output", help="Replace an earlier run in --out."),
)
"""Flags of the run directory."""


@click.command(
    "fit",
    cls=Verb,
    short_help="Train a network and report what it learned when.",
    epilog=examples(
        "overtone fit photo.jpg --out run",
        "overtone fit speech.wav --time 60 --activation sine",
        "overtone fit noisy.npy --clean clean.npy --bandwidth 20",
        "overtone fit houses.csv --inputs rooms,age --columns price",
        "overtone fit kspace.npz --steps 1000",
        "overtone fit --resume --out run --steps 5000",
    ),
)
@click.argument("source", required=False, type=click.Path())
@chain(NETWORK, training_flags())
@flag(
    "--clean",
    type=click.Path(),
    metavar="FILE",
    section="Reading SOURCE",
    help="The noise-free version of SOURCE, to measure errors against; never trained on.",
)
@flag(
    "--inputs",
    metavar="NAME[,NAME]",
    section="Reading SOURCE",
    help="Tables (.csv): the columns to learn from; those of --columns, or all others, are learned.",
)
@flag(
    "--quantities",
    is_flag=True,
    section="Reading SOURCE",
    help="Tables: learn columns that look like labels (two values, or few whole numbers) as numbers.",
)
@chain(reading_flags, OUTPUT, common_flags)
@click.pass_context
def fit_command(
    context: click.Context,
    source: str | None,
    as_json: bool,
    out: str,
    resume: bool,
    clean: str | None,
    inputs: str | None,
    quantities: bool,
    **options: Any,
) -> int:
    """Fit a network to SOURCE and report which frequencies it learned when.

    SOURCE is a picture (.png .jpg .tif), a recording (.wav .flac), a volume (.nii .nii.gz, .tif stack), a series
    (.csv), a table (.csv with --inputs) or an array (.npy .npz). Left out, it is a picture of scikit-image. A .npz of
    measurements is recognised by its keys: kspace and mask, sinogram and angles, or blurred and kernel.

    Ctrl-C stops after the current step and saves the run; --resume continues it.
    """
    read_with = reading_arguments(options)
    if inputs is not None:
        read_with["inputs"] = words(inputs)
    if quantities:
        read_with["quantities"] = True
    if resume and options["overwrite"]:
        raise InputError("--resume or --overwrite", "both", "choose one")
    options["activation"] = words(options["activation"])
    numbered = is_default(context, "out") and not options["overwrite"]
    if numbered and resume:
        out = newest(out)
    # Refused before anything slow is imported or read.
    config = FitConfig().replace(**{name: v for name, v in options.items() if name != "overwrite"})
    with reserved(out) if numbered and not resume else nullcontext(out) as directory:
        return _run(context, source, directory, resume, config, options, read_with, clean, as_json)


def _run(
    context: click.Context,
    source: str | None,
    out: str,
    resume: bool,
    config: FitConfig,
    options: dict[str, Any],
    read_with: dict[str, Any],
    clean: str | None,
    as_json: bool,
) -> int:
    """Read, train and answer; the exit code."""
    if resume and source is None:
        announce(f"Reading the run in {out}.")
    else:
        announce_reading(source)
    # Imported here: torch takes seconds, and --help and wrong flags are answered without it.
    from overtone.fitting._fit import fit_on_clock
    from overtone.fitting._run_directory import RunDirectory
    from overtone.fitting._wall_clock import WallClock

    # The seconds of a resumed run are those of its training, over all its sessions.
    clock = WallClock(None if resume else options["seconds"], context.obj)

    if not resume:
        RunDirectory.of(out).check_free(options["overwrite"])
    else:
        settings = RunDirectory.of(out).read_settings()
        begun = _source_of_run(context, settings, source, out)
        _check_same_flags(context, settings, out)
        source, clean = source or begun.get("path"), clean or begun.get("clean")
        read_with = {**begun.get("reading", {}), **read_with}
        # The flag is not part of old runs; their samples are read as they were then.
        read_with |= {"quantities": True} if "inputs" in read_with else {}
    # Read after the settings of a resumed run, which name the file where SOURCE is left out.
    measurements = read_measurements(source, read_with, clean)
    signal: Signal[Geometry] | Measured
    choosing = not resume and config.model.bandwidth is None and config.model.has_bandwidth
    if measurements is not None:
        signal = measurements
        if choosing:
            announce_measurements(measurements)
    else:
        signal = read_samples(source, read_with, clean)
        if choosing:
            trials = config.model.choose is not Choosing.QUICK
            announce_choice(signal, trials=trials, timed=config.training.seconds is not None)
    origin = {
        # Absolute, so that --resume finds the file from any directory.
        "path": source and os.path.abspath(source),
        "clean": clean and os.path.abspath(clean),
        "reading": read_with,
    }
    clock.end("reading")
    run = fit_on_clock(
        signal,
        out,
        config,
        clock,
        resume=resume,
        overwrite=options["overwrite"],
        progress=True,
        source=origin,
    )
    # A run with nothing left to do keeps its files, and so the page it wrote at its end.
    stays = run.unchanged and run.directory.report.is_file()
    page = (
        run.directory.report
        if stays
        else write_page_if_possible(run.report, f"overtone report {shlex.quote(out)}")
    )
    clock.end("page")
    if as_json:
        print_json(_document(run, page) | {"clock": clock.parts | {"total": clock.elapsed}})
    else:
        click.echo(_text(run, page, _time_used(clock)))
    if run.interrupted:
        again = f"overtone fit --resume --out {shlex.quote(out)}"
        # On stderr: stdout may be the JSON document.
        click.echo(f"overtone: interrupted at step {run.outcome.step}; go on with: {again}", err=True)
        return INTERRUPTED
    return 0


def _time_used(clock: WallClock) -> str:
    """Return the time of the command and of its parts, leaving out those below half a second."""
    parts = [f"{name} {number(seconds, 2)} s" for name, seconds in clock.parts.items() if seconds >= 0.5]
    limit = "" if clock.limit is None else f" of {clock.limit:g} s"
    return f"{number(clock.elapsed)} s{limit}" + (f": {', '.join(parts)}" if parts else "")


def _text(run: Run, page: Path | None, time_used: str = "") -> str:
    """The outcome for people: the report's four questions with their answers, then the figures.

    Args:
        run: The run.
        page: The report, if there is one.
        time_used: What the command's time was used for.
    """
    from overtone.plots._bands import bandwidth_unit
    from overtone.plots._wording import level_samples
    from overtone.records import metrics
    from overtone.reports._measured_verdict import capitalised, error_words
    from overtone.reports._verdict import questions

    attrs = run.record.attrs
    answers = "\n".join(paragraph(q, [a]) for q, a in zip(questions(run.record), run.verdict, strict=True))
    quality = [f"{decibels(level.psnr)} ({level_samples(level)})" for level in metrics.levels(run.record)]
    spent = f"{plural(run.outcome.step, 'step')} in {number(metrics.training_seconds(run.record))} s, "
    rows = {"PSNR": ", ".join(quality)} if quality else {}
    if (measured := attrs.get("measured")) is not None:
        scores = [{"name": "network"} | measured["network"], *measured["classical"]]
        rows |= {capitalised(str(score["name"])): error_words(score) for score in scores}
    rows |= {"Training": spent + plural(attrs["parameters"], "parameter")}
    if attrs.get("bandwidth"):
        rows["Bandwidth"] = f"{format_per_axis(attrs['bandwidth'])} {bandwidth_unit(run.record)}"
    rows |= {"Time": time_used} if time_used else {}
    return f"{answers}\n\n{facts(rows | address(page))}"


def _document(run: Run, page: Path | None) -> dict[str, Any]:
    """The JSON document of a fit; frequencies in cycles per unit, per axis where a list."""
    from overtone.plots._bands import bandwidth_unit
    from overtone.records import metrics

    record = run.record
    # Rows after the restored step are left out: the bands are those of the network that is returned.
    together = metrics.until_network(metrics.combine_channels(record))
    error = metrics.relative_error(together).isel(step=-1).values
    fraction = metrics.learned_fraction(together).isel(step=-1).values
    learned = metrics.learning_step(together).values
    bands = zip(record.band_low.values, record.band_high.values, error, fraction, learned, strict=True)
    return {
        "run": str(run.directory.path),
        "record": str(run.directory.record),
        "report": page and str(page),
        "steps": run.outcome.step,
        "kept": run.network_step,
        "seconds": metrics.training_seconds(record),
        "parameters": record.attrs["parameters"],
        "unit": record.attrs["frequency_unit"],
        "psnr": run.psnr,
        "bands": [
            {
                "low": float(low),
                "high": float(high),
                "relative_error": float(e),
                "learned_fraction": float(f),
                # NaN marks a band that was never learned; JSON has no NaN.
                "learning_step": None if step != step else int(step),
            }
            for low, high, e, f, step in bands
        ],
        "stop": metrics.stop(record).step,
        "bandwidth": record.attrs["bandwidth"],
        "bandwidth_unit": bandwidth_unit(record),
        "reasons": record.attrs["reasons"],
        "interrupted": run.interrupted,
        "verdict": run.verdict,
        # Of measurements alone: their number, and the errors of the network's and of classical pictures.
        **({"measured": record.attrs["measured"]} if "measured" in record.attrs else {}),
    }


BUDGET = ("steps", "seconds", "time")
"""Flags that may differ from those of the run that is resumed."""


def _source_of_run(
    context: click.Context, settings: RunSettings, source: str | None, run_path: str
) -> dict[str, Any]:
    """Source of the run's samples: `path`, `clean` and `reading`.

    Args:
        context: The parsed command line.
        settings: The run's settings.
        source: SOURCE, if it was given.
        run_path: The run directory, for the message.

    Raises:
        InputError: If the run began in Python, where samples have no file, and no SOURCE is given; or if what is noted
            of the file is damaged.
    """
    from overtone.fitting._settings import Fields

    if settings.source is not None:
        # The file may have been edited by hand; a path is checked before anything is opened.
        known = Fields(settings.source, run_path, ("source",))
        for name in ("path", "clean"):
            known.maybe(name, known.path)
        reading = known.within("reading") if known.has("reading") else Fields({}, run_path)
        return settings.source | {"reading": _reading_flags(context, reading)}
    if source is None:
        raise InputError(
            "a SOURCE, because the run was started from Python", "none", "name its file", run_path
        )
    return {}


def _reading_flags(context: click.Context, fields: Fields) -> dict[str, Any]:
    """The reading flags of a run, each of the type that the command line gives it."""
    known = {p.name: p for p in context.command.params if p.name in (*READING, "inputs", "quantities")}
    values: dict[str, Any] = {}
    for name in fields.names:
        flag = known.get(name)
        if flag is None:
            raise fields.wrong(name, "left out")
        if name == "inputs":
            values[name] = fields.texts(name)
        elif isinstance(flag.type, Numbers):
            values[name] = tuple(fields.numbers(name))
        elif isinstance(flag.type, type(click.INT)):
            values[name] = fields.integer(name)
        elif isinstance(flag, click.Option) and flag.is_flag:
            values[name] = fields.switch(name)
        else:
            values[name] = fields.text(name)
    return values


def _check_same_flags(context: click.Context, settings: RunSettings, run_path: str) -> None:
    """Whether the flags on the command line are those that the run began with; flags left out are.

    Args:
        context: The parsed command line.
        settings: The run's settings.
        run_path: The run directory, for the message.

    Raises:
        InputError: If a flag other than the budget asks for something else.
    """
    source, stored = settings.source or {}, settings.to_json()
    begun = {name: v for part in ("network", "training") for name, v in stored[part].items()}
    begun |= {name: stored[name] for name in ("held_out", "stop", "controller", "average")}
    reading = source.get("reading") or {}
    # A reading flag that the run did not have counts as None, so that adding one is noticed too.
    begun |= {name: reading.get(name) for name in READING} | {"clean": source.get("clean")}
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in BUDGET or name not in begun:
            continue
        # A default that the user did not type is no request: the run's own setting stands.
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        asked = _plain(name, context.params[name])
        if asked != begun[name]:
            raise InputError(
                f"the {parameter.opts[0]} that the run began with ({_listed(begun[name])})",
                _listed(asked),
                "leave it out, or begin a new run in another --out",
                run_path,
            )


def _plain(name: str, value: Any) -> Any:
    """Return the value of a flag in the form of `run.json`."""
    if name == "activation":
        return words(value)
    return list(value) if isinstance(value, tuple) else value


def _listed(value: Any) -> str:
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
