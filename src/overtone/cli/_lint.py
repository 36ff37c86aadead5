"""`overtone lint`: a frequency setting checked against the samples before any training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import by_axis, format_per_axis, number, percent
from overtone.cli._announcements import announce_reading
from overtone.cli._options import (
    Numbers,
    Verb,
    chain,
    examples,
    flag,
    json_flag,
    reading_arguments,
    reading_flags,
)
from overtone.cli._output import facts, paragraph, print_json
from overtone.cli._source import read_source

if TYPE_CHECKING:
    from overtone.planning._lint import LintFinding, LintResult

FAILED = 1


@click.command(
    "lint",
    cls=Verb,
    short_help="Check a frequency setting against your samples.",
    epilog=examples(
        "overtone lint photo.jpg --library tancik --value 10",
        "overtone lint photo.jpg --library siren --value 30 --strict",
        "overtone lint speech.wav --library deepxde --value 10 --domain -1,1",
    ),
)
@click.argument("source", required=False, type=click.Path())
@flag(
    "--library",
    metavar="NAME",
    required=True,
    section="Setting",
    help="Library whose convention the value follows: tancik, deepxde, siren, nerf, nerfstudio, tcnn, ...",
)
@flag(
    "--value",
    type=float,
    required=True,
    section="Setting",
    help="The setting: sigma, omega_0, number of octaves.",
)
@flag(
    "--domain",
    type=Numbers(),
    metavar="LOW,HIGH",
    section="Setting",
    help="Range to which your coordinates are scaled. [default: the library's usual one]",
)
@flag(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    section="Setting",
    help="Precision in which the features are computed.",
)
@flag("--steps", type=click.IntRange(min=1), section="Setting", help="Optimizer steps that you plan.")
@flag("--batch", type=click.IntRange(min=1), section="Setting", help="Samples per step that you plan.")
@flag("--strict", is_flag=True, section="Output", help="Exit with 1 if there is an error among the findings.")
@chain(reading_flags, json_flag)
def lint_command(
    source: str | None,
    library: str,
    value: float,
    domain: tuple[float, float] | None,
    precision: str,
    steps: int | None,
    batch: int | None,
    strict: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Check the frequency setting of a network of another library against SOURCE; nothing is trained.

    The setting is compared with the bandwidth that the spectrum recommends, an estimate trusted to a factor of four.
    """
    announce_reading(source)
    from overtone.planning import lint

    signal = read_source(source, reading_arguments(options))
    result = lint(signal, library, value, domain=domain, precision=precision, steps=steps, batch=batch)
    unit = signal.geometry.frequency_unit
    print_json(_document(result, unit)) if as_json else click.echo(_text(result, unit))
    return FAILED if strict and any(finding.error for finding in result.findings) else 0


def _document(result: LintResult, unit: str) -> dict[str, Any]:
    """The JSON document of a check; frequencies in cycles per unit, per axis where a list."""
    return {
        "library": result.library,
        "value": result.value,
        "domain": list(result.domain),
        "cycles": result.cycles,
        "bandwidth": list(result.bandwidth),
        "unit": unit,
        "nyquist": list(result.nyquist),
        "recommended": list(result.recommended),
        "suggested": result.suggested,
        "suggested_range": list(result.suggested_range),
        "findings": [
            {
                "code": finding.code.value,
                "severity": "error" if finding.error else "warning",
                "values": dict(finding.values),
                "sentence": _sentence(finding, result, unit),
            }
            for finding in result.findings
        ],
    }


def _text(result: LintResult, unit: str) -> str:
    """The check for people: findings, then the figures."""
    lines = [
        f"{'Error' if finding.error else 'Warning'}: {_sentence(finding, result, unit)}"
        for finding in result.findings
    ]
    low, high = result.domain
    rows = {
        "Setting": f"{number(result.value)} for {result.library}, coordinates in [{low:g}, {high:g}]: bandwidth "
        f"{format_per_axis(result.bandwidth)} {unit} (Nyquist {format_per_axis(result.nyquist)}).",
        "Samples": f"The spectrum recommends {format_per_axis(result.recommended)} {unit}.",
        "Suggested": f"{_suggestion(result)}.",
    }
    return f"{paragraph('Findings', lines or ['Nothing is wrong with this setting.'])}\n\n{facts(rows)}"


def _suggestion(result: LintResult) -> str:
    low, high = (number(end) for end in result.suggested_range)
    return f"about {number(result.suggested)}, between {low} and {high}"


def _sentence(finding: LintFinding, result: LintResult, unit: str) -> str:
    """Return a finding in words."""
    return _WORDING[finding.code.name](finding.values, result, unit)


def _beyond_nyquist(values: Any, result: LintResult, unit: str) -> str:
    return (
        f"The bandwidth of {format_per_axis(values['bandwidth'])} {unit} along {_axes(values['axes'])} exceeds the "
        f"Nyquist frequency of {format_per_axis(values['nyquist'])}: at the samples such a wave looks like one of "
        f"{by_axis((number(f) for f in values['alias']), ' x ')}, and between them the network is arbitrary. "
        f"Take {_suggestion(result)}."
    )


def _axes(axes: list[int]) -> str:
    return f"{'axis' if len(axes) == 1 else 'axes'} {' and '.join(map(str, axes))}"


def _compared(values: Any) -> str:
    return (
        f"{number(values['cycles'])} cycles across the samples against {number(values['recommended'])} "
        "that the spectrum recommends"
    )


def _off(extent: str, consequence: str) -> Callable[[Any, LintResult, str], str]:
    """Return the wording of a bandwidth that is off: by how much, and what follows; {library} may stand in it."""

    def word(values: Any, result: LintResult, _: str) -> str:
        follows = consequence.format(library=result.library)
        return f"The bandwidth is {extent} ({_compared(values)}): {follows}. Take {_suggestion(result)}."

    return word


def _range(values: Any, result: LintResult, _: str) -> str:
    shown, usual = (f"[{low:g}, {high:g}]" for low, high in (values["domain"], values["usual"]))
    return (
        f"The value suits coordinates in {usual}, the usual range of {result.library}, better than those in {shown}: "
        f"it has {number(values['usual_cycles'])} cycles across the samples there, {number(values['cycles'])} with "
        f"yours, and the spectrum recommends {number(values['recommended'])}. Take {_suggestion(result)}."
    )


def _unequal(values: Any, _: LintResult, __: str) -> str:
    return (
        f"No single value suits all axes: axis {values['lowest_axis']} needs {number(values['lowest_cycles'])} cycles "
        f"across the samples and axis {values['highest_axis']} {number(values['highest_cycles'])}. Scale the "
        "coordinates of each axis, or choose a bandwidth per axis."
    )


def _precision(values: Any, _: LintResult, __: str) -> str:
    return (
        f"In {values['precision']} the phase of the highest features, up to {number(values['phase'])} radians, is "
        f"wrong by up to {number(values['phase_error'], 2)} radians. Compute the features in float32."
    )


def _unvisited(values: Any, _: LintResult, __: str) -> str:
    return (
        f"Steps times batch are {values['drawn']:,} samples of {values['samples']:,}: {percent(values['unvisited'])} "
        "of them are never trained on if batches are random. Take more steps or a larger batch."
    )


_WORDING = {
    "BEYOND_NYQUIST": _beyond_nyquist,
    "BANDWIDTH_LOW": _off("far too low", "fine detail is learned late or never"),
    "BANDWIDTH_HIGH": _off(
        "far too high", "noise is fitted early, and values between the samples are hardly constrained"
    ),
    "RADIANS_FOR_CYCLES": _off(
        "about 2 pi times as high as needed",
        "the value may be in radians, where {library} has cycles in mind, or from a library with another convention",
    ),
    "CYCLES_FOR_RADIANS": _off(
        "about 2 pi times lower than needed",
        "the value may be in cycles, where {library} has radians in mind, or from a library with another convention",
    ),
    "COORDINATE_RANGE": _range,
    "UNEQUAL_AXES": _unequal,
    "LOW_PRECISION": _precision,
    "SAMPLES_UNVISITED": _unvisited,
}
"""The wording of each code."""
