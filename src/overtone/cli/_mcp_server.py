"""The server behind `overtone mcp`: each call runs one verb with --json in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import anyio
import jsonschema
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

import overtone
from overtone.cli._schema import answer_schemas
from overtone.errors import InputError, OvertoneError, RunError

INSTRUCTIONS = (
    "overtone measures which frequencies samples contain and which a network can represent. Call scan to see the "
    "spectrum, the noise and the recommended bandwidth of a file, choose for the settings of a network that is to be "
    "fitted to it, lint to check settings of another library against a file before training, convert to turn sigma, "
    "omega_0 or a number of octaves of one library into that of another, and verify to compare forecast fields with "
    "true ones. Files are read below one folder only."
)


@final
@dataclass(frozen=True)
class Offer:
    """A tool of the server.

    Attributes:
        verb: The verb that it runs.
        description: What it does, for the model that chooses among tools.
        properties: JSON Schema of each argument.
        required: Arguments that have to be there.
        words: Function from the checked arguments to the words of the command line after the verb.
    """

    verb: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]
    words: Callable[[Mapping[str, Any]], list[str]]

    @property
    def paths(self) -> set[str]:
        """Arguments that name a file."""
        return {name for name in self.properties if name in ("path", "forecast", "truth")}

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
            "additionalProperties": False,
        }


_PATH = {
    "type": "string",
    "minLength": 1,
    "description": "A picture, recording, volume, series (.csv) or array (.npy), relative to the server's folder.",
}
_FIELDS = {
    "type": "string",
    "minLength": 1,
    "description": "An array (samples, channels, space; .npy), named arrays (samples, space; .npz), NetCDF (.nc), "
    "Zarr (a folder) or GRIB, relative to the server's folder; FILE::GROUP is a group.",
}
_LIBRARY = {
    "type": "string",
    "description": "bandwidth (cycles per unit), tancik, rff, nerfstudio-rff, deepxde, jaxpi, rtdl, pytabkit, "
    "tancik-posenc, nerf, nerfstudio, tcnn, siren-posenc, finer-posenc, siren or siren-pytorch.",
}
_VALUE = {
    "type": "number",
    "exclusiveMinimum": 0,
    "description": "The setting in the convention of the library: sigma, omega_0 or a number of octaves.",
}


def _range(text: str) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
        "description": f"{text}, as [low, high]; by default the usual range of the library.",
    }


def _flags(arguments: Mapping[str, Any], *names: str) -> list[str]:
    """Return the flags of the arguments that are there; each as one word, so that no value reads as a flag."""
    flags = []
    for name in names:
        if name in arguments:
            value = arguments[name]
            text = ",".join(map(repr, value)) if isinstance(value, list) else str(value)
            flags.append(f"--{name.replace('_', '-')}={text}")
    return flags


OFFERS: dict[str, Offer] = {
    "scan": Offer(
        "scan",
        "Measure spectrum, noise floor and recommended bandwidth of a file; nothing is trained.",
        {"path": _PATH},
        ("path",),
        lambda a: ["--", a["path"]],
    ),
    "choose": Offer(
        "scan",
        "Choose encoding, bandwidth, width, steps and batch for fitting a file within some seconds; the key plan.",
        {
            "path": _PATH,
            "seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Time of the training that is planned, in seconds; choosing itself takes a part of it.",
            },
        },
        ("path", "seconds"),
        lambda a: [f"--time={a['seconds']}", "--", a["path"]],
    ),
    "convert": Offer(
        "convert",
        "Convert a frequency setting of one library into that of another for the same frequencies.",
        {
            "value": _VALUE,
            "from": _LIBRARY,
            "to": _LIBRARY,
            "domain": _range("Range of the coordinates with the value"),
            "to_domain": _range("Range of the coordinates with the answer"),
            "inputs": {
                "type": "integer",
                "minimum": 1,
                "description": "Number of coordinates, required for siren: 2 for a picture.",
            },
        },
        ("value", "from", "to"),
        lambda a: [*_flags(a, "from", "to", "domain", "to_domain", "inputs"), "--", str(a["value"])],
    ),
    "lint": Offer(
        "lint",
        "Check a frequency setting of a coordinate network against a file before training.",
        {
            "path": _PATH,
            "library": _LIBRARY,
            "value": _VALUE,
            "domain": _range("Range to which the coordinates are scaled"),
            "precision": {
                "enum": ["float32", "bfloat16", "float16"],
                "description": "Precision in which the features are computed; float32 by default.",
            },
            "steps": {"type": "integer", "minimum": 1, "description": "Optimizer steps that are planned."},
            "batch": {"type": "integer", "minimum": 1, "description": "Samples per step that are planned."},
        },
        ("path", "library", "value"),
        lambda a: [
            *_flags(a, "library", "value", "domain", "precision", "steps", "batch"),
            "--",
            a["path"],
        ],
    ),
    "verify": Offer(
        "verify",
        "Compare forecast fields with true ones at every scale: blur, noise, displacement, effective resolution.",
        {
            "forecast": _FIELDS,
            "truth": _FIELDS,
            "spacing": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Distance of neighbouring samples; wavelengths are counted in samples without it.",
            },
            "unit": {"type": "string", "description": "Unit of spacing, for instance km."},
            "lead": {"type": "string", "description": "NetCDF, Zarr: the forecast's axis of lead time."},
            "member": {
                "type": "string",
                "description": "The forecast's axis of ensemble members: its name, or in arrays its number.",
            },
            "winds": {
                "type": "string",
                "description": "Eastward and northward wind with a comma, such as u,v: verify the kinetic energy of "
                "the rotational and the divergent part.",
            },
            "healpix": {
                "type": "string",
                "enum": ["ring", "nested"],
                "description": "Order of the pixels of a HEALPix grid, if the metadata do not say.",
            },
            "baselines": {
                "type": "string",
                "description": "climatology, persistence (needs lead), or both with a comma: compare with them.",
            },
            "level": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "description": "Coverage probability of the intervals; 0.9 by default.",
            },
        },
        ("forecast", "truth"),
        lambda a: [
            *_flags(a, "spacing", "unit", "lead", "member", "winds", "healpix", "baselines", "level"),
            "--",
            a["forecast"],
            a["truth"],
        ],
    ),
}
"""The tools by name."""


def path_below(root: Path, text: str) -> Path:
    """Return the file that a path names, all links followed.

    Args:
        root: The folder below which files may be read.
        text: The path, relative to it or absolute.

    Raises:
        InputError: If the file lies outside.
    """
    folder = root.resolve()
    try:
        path = (folder / text).resolve()
        # Fields of a group, FILE::GROUP, are read from the file before the colons.
        file = (folder / text.partition("::")[0]).resolve()
    except (OSError, ValueError) as wrong:
        raise InputError("a path", repr(text), "pass the path of a file", "path") from wrong
    if not (path.is_relative_to(folder) and file.is_relative_to(folder)):
        raise InputError(
            "a file below the folder of the server",
            repr(text),
            "move the file there, or start it with --root",
            "path",
        )
    return path


def check_arguments(offer: Offer, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that the tool's schema does not describe.

    Raises:
        InputError: With the first thing that is wrong.
    """
    wrong = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(offer.input_schema).iter_errors(dict(arguments))
    )
    if wrong is not None:
        place = ".".join(map(str, wrong.absolute_path)) or "arguments"
        raise InputError("arguments as in the tool's schema", wrong.message, "correct the call", place)


async def answer(offer: Offer, arguments: Mapping[str, Any], root: Path, limit: float) -> dict[str, Any]:
    """Run a tool's verb in a process of its own and return its document.

    Args:
        offer: The tool.
        arguments: Its arguments.
        root: The folder below which files may be read.
        limit: Seconds after which the process is ended.

    Raises:
        OvertoneError: If an argument is wrong, the verb refuses, or the time is over.
    """
    check_arguments(offer, arguments)
    resolved = dict(arguments)
    for name in offer.paths & set(resolved):
        resolved[name] = str(path_below(root, resolved[name]))
    command = [sys.executable, "-m", "overtone.cli", offer.verb, "--json", *offer.words(resolved)]
    with anyio.move_on_after(limit) as clock:
        # Cancelled by the clock, `run_process` ends the process before it returns.
        ended = await anyio.run_process(
            command, stdin=subprocess.DEVNULL, check=False, cwd=root, env=os.environ
        )
    if clock.cancelled_caught:
        raise RunError(
            f"an answer within {limit:g} s",
            "none",
            "pass a smaller file, or start the server with a larger --limit",
        )
    if ended.returncode != 0:
        raise _VerbError(ended.stderr.decode("utf-8", "replace"))
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


class _VerbError(OvertoneError):
    """The sentence of a verb that ended with an error, as it stands."""

    def __init__(self, stderr: str) -> None:
        lines = [line for line in stderr.splitlines() if line.strip()]
        Exception.__init__(
            self, lines[-1].removeprefix("overtone: ") if lines else "it ended without a message."
        )


def make_server(root: Path, limit: float) -> Server[Any]:
    """Return the server.

    Args:
        root: The folder below which files may be read.
        limit: Longest time of one call, in seconds.
    """
    schemas = answer_schemas()
    # One at a time: each call may use all cores, and its time limit counts its computing only.
    turn = anyio.Lock()

    async def tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=offer.description,
                    input_schema=offer.input_schema,
                    output_schema=schemas[offer.verb],
                    annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
                )
                for name, offer in OFFERS.items()
            ]
        )

    async def call(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            offer = OFFERS.get(params.name)
            if offer is None:
                raise InputError(f"one of {', '.join(OFFERS)}", repr(params.name), "call one of them", "tool")
            async with turn:
                document = await answer(offer, params.arguments or {}, root, limit)
        except OvertoneError as error:
            return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
        text = types.TextContent(text=json.dumps(document))
        return types.CallToolResult(content=[text], structured_content=document)

    return Server(
        "overtone",
        version=overtone.__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=tools,
        on_call_tool=call,
    )


def serve(root: str, limit: float) -> None:
    """Serve over stdin and stdout until stdin ends.

    Args:
        root: The folder below which files may be read.
        limit: Longest time of one call, in seconds.
    """

    async def main() -> None:
        server = make_server(Path(root).resolve(), limit)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(main)
