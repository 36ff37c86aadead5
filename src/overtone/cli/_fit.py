"""`overtone fit`: train, observe, report."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import decibels, number, per_axis
from overtone.cli import _resume as resuming
from overtone.cli._options import Numbers, Verb, chain, common, examples, flag, reading, reading_arguments
from overtone.cli._output import count, facts, paragraph, print_json
from overtone.cli._source import read_samples
from overtone.errors import InputError

if TYPE_CHECKING:
    from overtone.fitting import Run

INTERRUPTED = 130

ENCODINGS = (
    "auto",
    "none",
    "basic",
    "positional",
    "gaussian",
    "power-law",
    "learned",
    "periodic",
    "hash-grid",
    "dense-grid",
    "triplane",
)


def network(command: Any) -> Any:
    """Flags of the network."""
    section = "Network"
    return chain(
        flag(
            "--encoding",
            type=click.Choice(ENCODINGS),
            metavar="NAME",
            default="auto",
            show_default=True,
            section=section,
            help="What coordinates become first: none, basic, positional, gaussian, power-law, learned, periodic, "
            "hash-grid, dense-grid, triplane; auto is gaussian, or none before an activation with frequencies.",
        ),
        flag(
            "--bandwidth",
            type=Numbers(),
            metavar="CYCLES",
            section=section,
            help="How high the network's frequencies reach, in cycles per unit: one number, or one per axis (10,20). "
            "[default: chosen from SOURCE]",
        ),
        flag(
            "--activation",
            metavar="NAME",
            default="relu",
            show_default=True,
            section=section,
            help="relu, leaky-relu, tanh, sigmoid, silu, gelu, softplus, or with frequencies of its own: sine, finer, "
            "gabor, complex-gabor, gauss, sinc, hat, quadratic, multiquadratic; one, or one per hidden layer "
            "(sine,relu,relu).",
        ),
        flag(
            "--width",
            type=int,
            section=section,
            help="Units per hidden layer. [default: 256, or fewer for a short --time]",
        ),
        flag("--depth", type=int, default=3, show_default=True, section=section, help="Hidden layers."),
        flag(
            "--features",
            type=int,
            section=section,
            help="Frequencies of the gaussian, power-law and learned encodings. [default: 256, or as many as samples]",
        ),
        flag("--residual", is_flag=True, section=section, help="Hidden layers add to what they receive."),
    )(command)


def training(command: Any) -> Any:
    """Flags of the training."""
    section = "Training"
    return chain(
        flag("--steps", type=int, section=section, help="Optimizer steps. [default: 2000, if no --time]"),
        flag("--time", "seconds", type=float, metavar="SECONDS", section=section, help="Wall-clock budget."),
        flag(
            "--optimizer",
            type=click.Choice(["adam", "sgd"]),
            default="adam",
            show_default=True,
            section=section,
            help="How weights are updated.",
        ),
        flag(
            "--lr",
            type=float,
            section=section,
            help="Learning rate. [default: 0.001, or more for a short --time]",
        ),
        flag(
            "--momentum",
            type=float,
            default=0.0,
            show_default=True,
            section=section,
            help="Of --optimizer sgd.",
        ),
        flag(
            "--decay",
            type=click.Choice(["constant", "cosine", "exponential"]),
            metavar="NAME",
            default="constant",
            show_default=True,
            section=section,
            help="How the learning rate falls: constant, cosine (to 0), exponential (to a tenth).",
        ),
        flag(
            "--batch",
            type=int,
            section=section,
            help="Samples per step. [default: all, up to 8192; fewer for a short --time]",
        ),
        flag(
            "--held-out",
            type=float,
            metavar="FRACTION",
            default=0.1,
            show_default=True,
            section=section,
            help="Part of the samples that is not trained on; 0 for none.",
        ),
        flag(
            "--stop/--no-stop",
            default=True,
            show_default=True,
            section=section,
            help="Whether to end when the error on held-out samples rises, and keep the best network.",
        ),
        flag(
            "--precision",
            type=click.Choice(["auto", "full", "mixed"]),
            metavar="NAME",
            default="auto",
            show_default=True,
            section=section,
            help="full, mixed (bfloat16); auto is mixed on a GPU.",
        ),
        flag(
            "--compile/--no-compile",
            default=None,
            section=section,
            help="Whether to use torch.compile. [default: where it pays]",
        ),
    )(command)


def keeping(command: Any) -> Any:
    """Flags of the run directory and the output."""
    section = "Output"
    return chain(
        flag(
            "--out",
            type=click.Path(),
            metavar="DIR",
            default="run",
            show_default=True,
            section=section,
            help="Directory for record, checkpoint, settings and report.",
        ),
        flag(
            "--resume",
            is_flag=True,
            section=section,
            help="Go on with the run in --out; needs no SOURCE. --steps and --time may be raised.",
        ),
        flag("--overwrite", is_flag=True, section=section, help="Replace an earlier run in --out."),
    )(command)


@click.command(
    cls=Verb,
    short_help="Train a network and report what it learned when.",
    epilog=examples(
        "overtone fit photo.jpg --out run",
        "overtone fit speech.wav --time 60 --activation sine",
        "overtone fit noisy.npy --clean clean.npy --bandwidth 20",
        "overtone fit houses.csv --inputs rooms,age --columns price",
        "overtone fit --resume --out run --steps 5000",
    ),
)
@click.argument("source", required=False, type=click.Path())
@chain(network, training)
@flag(
    "--clean",
    type=click.Path(),
    metavar="FILE",
    section="Reading SOURCE",
    help="The noise-free version of SOURCE, to measure against; never trained on.",
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
@flag(
    "--controller",
    is_flag=True,
    section="Training",
    help="Widen the reach while bands are learned, go back and slow down when noise is.",
)
@chain(reading, keeping, common)
@click.pass_context
def fit(
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
    (.csv), a table (.csv with --inputs) or an array (.npy .npz). Left out, it is a picture of scikit-image.

    Ctrl-C stops after the current step and keeps what there is; --resume goes on.
    """
    from overtone.fitting import fit as run_fit
    from overtone.fitting._run_directory import RunDirectory

    how = reading_arguments(options)
    if inputs is not None:
        how["inputs"] = [name.strip() for name in inputs.split(",")]
    if quantities:
        how["quantities"] = True
    if resume and options["overwrite"]:
        raise InputError("--resume or --overwrite", "both", "choose one")
    if resume:
        settings = RunDirectory.of(out).read_settings()
        known = resuming.origin(context, settings, source, out)
        resuming.check_same(context, settings, out)
        source, clean = source or known.get("path"), clean or known.get("clean")
        how = {**known.get("reading", {}), **how}
        how |= {"quantities": True} if "inputs" in how else {}
    signal = read_samples(source, how, clean)
    options["activation"] = [name.strip() for name in options["activation"].split(",")]
    origin = {
        "path": source and os.path.abspath(source),
        "clean": clean and os.path.abspath(clean),
        "reading": how,
    }
    run = run_fit(signal, out, resume=resume, progress=True, source=origin, **options)
    page = run.directory.report if run.unchanged and run.directory.report.is_file() else run.report()
    if as_json:
        print_json(document(run, str(page)))
    else:
        click.echo(text(run, page.resolve().as_uri()))
    if run.interrupted:
        again = f"overtone fit --resume --out {shlex.quote(out)}"
        click.echo(f"overtone: interrupted at step {run.outcome.step}; go on with: {again}", err=True)
        return INTERRUPTED
    return 0


def text(run: Run, page: str) -> str:
    """The outcome for people: the report's four questions with their answers, then the figures.

    Args:
        run: The run.
        page: Address of the report.
    """
    from overtone.plots._bands import bandwidth_unit
    from overtone.records import metrics
    from overtone.reports import QUESTIONS

    attrs = run.record.attrs
    answers = "\n".join(paragraph(q, [a]) for q, a in zip(QUESTIONS, run.verdict, strict=True))
    quality = [f"{decibels(level.psnr)} ({level.samples})" for level in metrics.levels(run.record)]
    spent = f"{count(run.outcome.step, 'step')} in {number(metrics.training_seconds(run.record))} s, "
    rows = {"PSNR": ", ".join(quality)} if quality else {}
    rows |= {"Training": spent + count(attrs["parameters"], "parameter")}
    if attrs.get("bandwidth"):
        rows["Bandwidth"] = f"{per_axis(attrs['bandwidth'])} {bandwidth_unit(run.record)}"
    return f"{answers}\n\n{facts(rows | {'Report': page})}"


def document(run: Run, page: str) -> dict[str, Any]:
    """The JSON document of a fit; frequencies in cycles per unit, per axis where a list."""
    from overtone.plots._bands import bandwidth_unit
    from overtone.records import metrics

    record = run.record
    together = metrics.until_network(metrics.combine_channels(record))
    error = metrics.relative_error(together).isel(step=-1).values
    fraction = metrics.learned_fraction(together).isel(step=-1).values
    learned = metrics.learning_step(together).values
    bands = zip(record.band_low.values, record.band_high.values, error, fraction, learned, strict=True)
    return {
        "run": str(run.directory.path),
        "record": str(run.directory.record),
        "report": page,
        "steps": run.outcome.step,
        "kept": run.kept,
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
    }
