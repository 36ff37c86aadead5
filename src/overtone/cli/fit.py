"""`overtone fit`: train, observe, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from overtone.cli.options import Numbers, chain, common, reading, reading_arguments
from overtone.cli.output import print_json
from overtone.cli.source import read_source

if TYPE_CHECKING:
    from overtone.fitting import Run

ENCODINGS = ("auto", "none", "basic", "positional", "gaussian")
INTERRUPTED = 130


def network(command: Any) -> Any:
    """Flags of the network."""
    return chain(
        click.option("--encoding", type=click.Choice(ENCODINGS), default="auto", show_default=True),
        click.option(
            "--bandwidth",
            type=Numbers(),
            help="Reach of the encoding in cycles per unit; one, or one per axis.",
        ),
        click.option(
            "--activation",
            default="relu",
            show_default=True,
            help="One, or one per hidden layer with commas.",
        ),
        click.option("--width", type=int, default=256, show_default=True, help="Units per hidden layer."),
        click.option("--depth", type=int, default=3, show_default=True, help="Hidden layers."),
        click.option(
            "--features", type=int, default=256, show_default=True, help="Frequencies of --encoding gaussian."
        ),
        click.option("--residual", is_flag=True, help="Hidden layers add to what they receive."),
    )(command)


def budget(command: Any) -> Any:
    """Flags of the training."""
    return chain(
        click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True),
        click.option("--lr", type=float, default=1e-3, show_default=True, help="Learning rate."),
        click.option("--momentum", type=float, default=0.0, show_default=True, help="Of --optimizer sgd."),
        click.option(
            "--decay",
            type=click.Choice(["constant", "cosine", "exponential"]),
            default="constant",
            show_default=True,
        ),
        click.option("--steps", type=int, help="Optimizer steps; 2000 if no --time is given."),
        click.option("--time", "seconds", type=float, metavar="SECONDS", help="Wall-clock budget."),
        click.option("--batch", type=int, help="Samples per step; all up to 16384 unless given."),
        click.option(
            "--precision",
            type=click.Choice(["auto", "full", "mixed"]),
            default="auto",
            show_default=True,
            help="auto is mixed (bfloat16) on a GPU.",
        ),
        click.option(
            "--compile/--no-compile", default=None, help="Use torch.compile; by default where it pays."
        ),
        click.option(
            "--held-out", type=float, default=0.1, show_default=True, help="Fraction kept out; 0 for none."
        ),
    )(command)


@click.command()
@click.argument("source", required=False)
@chain(network, budget, reading, common)
@click.option("--clean", help="A file with the noise-free version of SOURCE.")
@click.option("--out", default="run", show_default=True, help="Run directory.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in --out.")
def fit(source: str | None, as_json: bool, out: str, resume: bool, clean: str | None, **options: Any) -> int:
    """Fit a network to SOURCE and report which frequencies it learned when.

    SOURCE is a picture (.png .jpg .tif ...), a recording (.wav .flac), a volume (.nii .nii.gz, .tif stack), a series
    (.csv) or an array (.npy .npz); the default is a picture that ships with scikit-image.
    """
    from overtone.fitting import fit as run_fit
    from overtone.fitting.directory import RunDirectory

    reading_flags = reading_arguments(options)
    if resume:
        origin = RunDirectory.of(out).read_settings()["source"] or {}
        source, clean = source or origin.get("path"), clean or origin.get("clean")
        reading_flags = reading_flags or origin.get("reading", {})
    signal = read_source(source, reading_flags, clean)
    options["activation"] = [name.strip() for name in options["activation"].split(",")]
    origin = {"path": source, "clean": clean, "reading": reading_flags}
    run = run_fit(signal, out, resume=resume, progress=True, source=origin, **options)
    page = run.report()
    if as_json:
        print_json(document(run, str(page)))
    else:
        click.echo("\n".join([*run.verdict, "", f"Report: {page.resolve().as_uri()}"]))
    if run.interrupted:
        click.echo(f"overtone: interrupted; go on with: overtone fit --resume --out {out}", err=True)
        return INTERRUPTED
    return 0


def document(run: Run, page: str) -> dict[str, Any]:
    """The JSON document of a fit; frequencies in cycles per unit, per axis where a list."""
    from overtone.records import derived

    record = run.record
    together = derived.combine_channels(record)
    error = derived.relative_error(together).isel(step=-1).values
    fraction = derived.learned_fraction(together).isel(step=-1).values
    learned = derived.learning_step(together).values
    bands = zip(record.band_low.values, record.band_high.values, error, fraction, learned, strict=True)
    return {
        "run": str(run.directory.path),
        "record": str(run.directory.record),
        "report": page,
        "steps": run.outcome.step,
        "seconds": run.outcome.seconds,
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
        "stop": derived.stop(record).step,
        "bandwidth": record.attrs["bandwidth"],
        "reasons": record.attrs["reasons"],
        "interrupted": run.interrupted,
        "verdict": run.verdict,
    }
