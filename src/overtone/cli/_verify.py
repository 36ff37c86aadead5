"""`overtone verify`: a forecast against the truth, scale by scale."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import number, plural
from overtone.cli._announcements import announce_fields
from overtone.cli._options import Numbers, Verb, chain, examples, flag, json_flag, words
from overtone.cli._output import WIDTH, paragraph, print_json
from overtone.errors import InputError, RunError

if TYPE_CHECKING:
    from overtone.records.metrics._field_scores import FieldScore
    from overtone.verification import Verification

ROWS = 12


@click.command(
    "verify",
    cls=Verb,
    short_help="Compare forecast fields with true ones by scale.",
    epilog=examples(
        "overtone verify forecast.nc truth.nc --var t2m --lead lead_time --out verify",
        "overtone verify forecast.npy truth.npy --spacing 25 --unit km",
        "overtone verify forecast.npz truth.npz --var t2m,u --json",
    ),
)
@click.argument("forecast", type=click.Path())
@click.argument("truth", type=click.Path())
@chain(
    flag(
        "--var",
        "variables",
        metavar="NAME[,NAME]",
        section="Fields",
        help="[default: all common ones]",
    ),
    flag(
        "--winds",
        metavar="NAME,NAME",
        section="Fields",
        help="Eastward and northward wind, by name, in .npy by number: verify the kinetic energy of the rotational "
        "and the divergent part.",
    ),
    flag(
        "--healpix",
        metavar="ORDER",
        section="Fields",
        help="Pixels of a HEALPix grid: ring or nested. [default: as the metadata say]",
    ),
    flag(
        "--lead",
        metavar="AXIS",
        section="Fields",
        help="NetCDF: the forecast's axis of lead time; the answer has one part for each.",
    ),
    flag(
        "--member",
        metavar="AXIS",
        section="Fields",
        help="The forecast's axis of ensemble members: its name, or in .npy and .npz its number.",
    ),
    flag(
        "--against",
        multiple=True,
        metavar="FILE",
        section="Fields",
        help="Another forecast of TRUTH to compare with; may be repeated.",
    ),
    flag(
        "--baselines",
        metavar="NAME[,NAME]",
        section="Fields",
        help="Compare with climatology, the mean of TRUTH over the other samples, or persistence (needs --lead).",
    ),
    flag(
        "--anomalies",
        is_flag=True,
        section="Fields",
        help="Subtract the time means of both first, for each lead time.",
    ),
    flag(
        "--space",
        metavar="AXIS[,AXIS]",
        section="Fields",
        help="NetCDF: the axes of space. [default: latitude and longitude, or x, y, z]",
    ),
    flag(
        "--spacing",
        type=Numbers(),
        section="Fields",
        help="Distance of neighbouring samples, one or one per axis. [default: counted in samples]",
    ),
    flag("--unit", metavar="NAME", section="Fields", help="Unit of --spacing."),
    flag("--periodic", is_flag=True, section="Fields", help="The borders wrap around."),
    flag(
        "--level",
        type=float,
        default=0.9,
        show_default=True,
        section="Fields",
        help="Coverage probability of the intervals.",
    ),
    flag(
        "--memory",
        metavar="SIZE",
        default="1GB",
        show_default=True,
        section="Fields",
        help="Memory for fields at a time; files are read in parts.",
    ),
    flag(
        "--dask",
        metavar="ADDRESS",
        section="Fields",
        help="Run on the Dask cluster of this scheduler, such as tcp://127.0.0.1:8786.",
    ),
    flag(
        "--out",
        type=click.Path(),
        metavar="DIR",
        section="Output",
        help="Write report.html to a new or empty folder.",
    ),
    json_flag,
)
def verify_command(
    forecast: str,
    truth: str,
    variables: str | None,
    winds: str | None,
    space: str | None,
    spacing: tuple[float, ...] | None,
    member: str | None,
    against: tuple[str, ...],
    baselines: str | None,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare the fields of FORECAST with those of TRUTH at every scale.

    Both are NetCDF (.nc), Zarr (a folder) or GRIB (.grib), whose coordinates pair them, arrays (samples, channels,
    space; .npy) or named arrays (samples, space; .npz). FILE::GROUP is a group of NetCDF or Zarr.
    """
    announce_fields(forecast, truth)
    from overtone.verification import verify
    from overtone.verification._files import read_fields

    if out is not None:
        _check_free(Path(out))
    distances = spacing[0] if spacing is not None and len(spacing) == 1 else spacing
    result = verify(
        read_fields(forecast),
        read_fields(truth),
        variables=None if variables is None else words(variables),
        winds=None if winds is None else words(winds),
        space=None if space is None else words(space),
        member=int(member) if member is not None and member.isdecimal() else member,
        against={Path(path).stem: read_fields(path) for path in against} or None,
        baselines=() if baselines is None else words(baselines),
        spacing=distances,
        **options,
    )
    page = None if out is None else _write(result, Path(out) / "report.html")
    if as_json:
        # The key is absent without --out.
        print_json(result.to_json() | ({} if page is None else {"report": str(page)}))
        return
    click.echo(
        "\n\n".join([_head(result), *(_table(result, score) for score in result.scores), _said(result)])
    )
    if page is not None:
        click.echo(f"\nReport: {page.resolve().as_uri()}")


def _check_free(folder: Path) -> None:
    """Refuse a folder that holds anything, before the fields are read.

    Raises:
        InputError: If it is taken, or a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("a folder to write to", "a file", "choose another --out", str(folder))
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError("a new or empty folder", "one with files in it", "choose another --out", str(folder))


def _write(result: Verification, path: Path) -> Path:
    try:
        return result.report(path)
    except RunError as refused:
        raise InputError(refused.expected, refused.got, refused.do, refused.source) from refused


def _head(result: Verification) -> str:
    shape = " x ".join(map(str, result.geometry.shape))
    members = f" and {result.ensembles[0].members} members" if result.ensembles else ""
    mean = "subtracted" if result.anomalies else "kept"
    count = plural(result.scores[0].samples, "sample")
    return f"{count}{members} of {shape} values; time mean {mean}; spectra: {result.estimator}"


def _said(result: Verification) -> str:
    return paragraph("Summary", result.sentences)


def _table(result: Verification, score: FieldScore) -> str:
    """At most 12 rows over the reported bands, powers summed over those that share a row."""
    unit, wavelength = result.geometry.unit, result.geometry.wavelength
    title = score.variable if score.lead is None else f"{score.variable}, lead time {score.lead}"
    head = f"{'wavelength in ' + unit:^21} {'error':>9} {'power':>9} {'coherence':>9}  of the truth's power"
    bands = score.reported.nonzero()[0].tolist()
    step = max(1, -(-len(bands) // ROWS))
    rows = []
    for begin in range(0, len(bands), step):
        group = bands[begin : begin + step]
        target, prediction, residual = (
            float(power[group].sum()) for power in (score.target, score.prediction, score.residual)
        )
        product = math.sqrt(target * prediction)
        coherence = (target + prediction - residual) / 2 / product if product > 0 else math.nan
        place = (
            f"{number(wavelength(score.low[group[0]])):>9} - {number(wavelength(score.high[group[-1]])):<9}"
        )
        figures = f"{_share(residual / target)} {_share(prediction / target)} {coherence:9.3f}"
        rows.append(f"{place} {figures}"[:WIDTH])
    return "\n".join([title, head, *rows])


def _share(ratio: float) -> str:
    return f"{100 * ratio:>7.3g} %"
