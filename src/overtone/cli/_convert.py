"""`overtone convert`: a frequency setting of one library in the convention of another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import number
from overtone.cli._options import Numbers, Verb, examples, flag, json_flag
from overtone.cli._output import facts, print_json

if TYPE_CHECKING:
    from overtone.units._conventions import Convention

KNOWN = "tancik, deepxde, nerf, nerfstudio, tcnn, siren, finer, wire, gauss, ..."


@click.command(
    "convert",
    cls=Verb,
    short_help="Convert a frequency setting between libraries.",
    epilog=examples(
        "overtone convert 10 --from deepxde --to tancik --domain -1,1",
        "overtone convert 30 --from siren --to bandwidth --inputs 2",
        "overtone convert 10 --from nerf --to nerfstudio",
    ),
)
@click.argument("value", type=float)
@flag(
    "--from",
    "source",
    metavar="LIBRARY",
    required=True,
    section="Conversion",
    help=f"Library of VALUE: {KNOWN} bandwidth stands for cycles per unit.",
)
@flag("--to", "target", metavar="LIBRARY", required=True, section="Conversion", help="Library of the answer.")
@flag(
    "--domain",
    type=Numbers(),
    metavar="LOW,HIGH",
    section="Conversion",
    help="Range of the coordinates with VALUE. [default: the library's usual one]",
)
@flag(
    "--to-domain",
    type=Numbers(),
    metavar="LOW,HIGH",
    section="Conversion",
    help="Range of the coordinates with the answer. [default: the library's usual one]",
)
@flag(
    "--inputs",
    type=click.IntRange(min=1),
    section="Conversion",
    help="Number of coordinates, required for networks without encoding: 2 for a picture, 1 for a recording.",
)
@json_flag
def convert_command(
    value: float,
    source: str,
    target: str,
    domain: tuple[float, float] | None,
    to_domain: tuple[float, float] | None,
    inputs: int | None,
    as_json: bool,
) -> None:
    """Convert VALUE, the frequency setting of one library, to the setting of another for the same frequencies.

    Both networks take the same samples, each with its own range of coordinates: the same sigma means twice the
    frequencies on [-1, 1] as on [0, 1].
    """
    from overtone import units
    from overtone.units._conventions import find_convention, usual_domain

    result = units.convert(value, source, target, domain, to_domain, inputs)
    low_high = domain or usual_domain(source, "domain")
    low_high_to = to_domain or usual_domain(target, "to_domain")
    begin, end = find_convention(source), find_convention(target)
    whole = math.ceil(result - 1e-9) if end.kind.whole else None

    def side(library: str, setting: float, whole: int | None, limits: Any, known: Convention) -> Any:
        effective = setting if whole is None else whole
        return {
            "library": library,
            "value": setting,
            "whole": whole,
            "domain": limits,
            "formula": known.formula,
            "bandwidth": units.convert(effective, library, "bandwidth", limits, limits, inputs),
        }

    document = {
        "from": side(source, value, int(value) if begin.kind.whole else None, low_high, begin),
        "to": side(target, result, whole, low_high_to, end),
        "cycles": units.convert(value, source, "bandwidth", low_high, (0, 1), inputs),
        "same_meaning": begin.kind is end.kind and begin.kind.rescaled is not None,
        "inputs": inputs,
    }
    if as_json:
        print_json(document)
    else:
        click.echo(_text(document))


def _text(document: dict[str, Any]) -> str:
    """The conversion for people."""
    begin, end = document["from"], document["to"]
    low, high = end["domain"]
    answer = f"{number(end['value'], 6)} for {end['library']} with coordinates in [{low:g}, {high:g}]."
    if end["whole"] is not None and end["whole"] != end["value"]:
        answer += f" An octave count is a whole number: take {end['whole']}."
    matched = "every frequency" if document["same_meaning"] else "the bandwidth (90 % of the power)"
    return facts(
        {
            "Setting": answer,
            "Formula": end["formula"],
            "Bandwidth": f"{number(end['bandwidth'])} cycles per unit; of the value given, "
            f"{number(begin['bandwidth'])} per unit of [{begin['domain'][0]:g}, {begin['domain'][1]:g}], which are "
            f"{number(document['cycles'])} cycles across the samples.",
            "Matched": f"{matched}.",
        }
    )
