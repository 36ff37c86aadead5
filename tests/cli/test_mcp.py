"""A client talks to `overtone mcp` over stdio, as assistants do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import jsonschema
import mcp
import numpy as np
import pytest

import overtone
from overtone.cli._mcp_server import OFFERS, path_below
from overtone.cli._schema import answer_schemas
from overtone.errors import InputError
from tests.cli.calling import ask, waves

SOURCES = str(Path(overtone.__file__).parents[1])


@pytest.fixture
def root(tmp_path):
    """A folder with a file, beside a file outside."""
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "waves.npy", waves())
    np.save(folder / "fields.npy", np.random.default_rng(0).standard_normal((4, 1, 16, 16)))
    np.save(tmp_path / "secret.npy", waves())
    (folder / "link.npy").symlink_to(tmp_path / "secret.npy")
    return folder


def talk(root, conversation, *flags):
    """Start a server, hold a conversation with it, and return what the conversation returns."""

    async def main():
        server = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-m", "overtone.cli", "mcp", "--root", str(root), *map(str, flags)],
            env={**os.environ, "PYTHONPATH": SOURCES},
        )
        with open(os.devnull, "w") as quiet:
            async with (
                mcp.stdio_client(server, errlog=quiet) as (read, write),
                mcp.ClientSession(read, write) as client,
            ):
                return await conversation(client, await client.initialize())

    return anyio.run(main)


def refused(result):
    assert result.is_error
    return result.content[0].text


def test_a_conversation(root):
    async def conversation(client, hello):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        answers = {
            "scan": await client.call_tool("scan", {"path": "waves.npy"}),
            "choose": await client.call_tool("choose", {"path": "waves.npy", "seconds": 1}),
            "convert": await client.call_tool(
                "convert", {"value": 10, "from": "deepxde", "to": "tancik", "domain": [-1, 1]}
            ),
            "lint": await client.call_tool("lint", {"path": "waves.npy", "library": "tancik", "value": 40}),
            "verify": await client.call_tool(
                "verify", {"forecast": "fields.npy", "truth": "fields.npy", "baselines": "climatology"}
            ),
        }
        sentence = refused(await client.call_tool("convert", {"value": 10, "from": "jaxpi", "to": "tancik"}))
        return hello, tools, answers, sentence

    hello, tools, answers, sentence = talk(root, conversation)
    assert (hello.server_info.name, hello.server_info.version) == ("overtone", overtone.__version__)
    schemas = answer_schemas()
    assert list(tools) == list(OFFERS) == list(answers)
    for name, tool in tools.items():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert tool.output_schema == schemas[OFFERS[name].verb]
        assert tool.annotations.read_only_hint
        assert not answers[name].is_error, answers[name].content
        jsonschema.validate(answers[name].structured_content, tool.output_schema)
    assert answers["scan"].structured_content["name"] == "waves.npy"
    assert answers["choose"].structured_content["plan"]["steps"] > 0
    assert [f["code"] for f in answers["lint"].structured_content["findings"]] == ["beyond Nyquist"]
    words = ("convert", "10", "--from", "deepxde", "--to", "tancik", "--domain", "-1,1", "--json")
    assert answers["convert"].structured_content == ask(*words).json
    assert sentence == ask("convert", "10", "--from", "jaxpi", "--to", "tancik").sentence
    assert sorted(path.name for path in root.iterdir()) == ["fields.npy", "link.npy", "waves.npy"]


def test_what_is_wrong_is_a_tool_error_and_the_server_goes_on(root):
    outside = str(root.parent / "secret.npy")
    calls = [
        (
            "scan",
            {"path": "../secret.npy"},
            "expected a file below the folder of the server, got '../secret.npy'",
        ),
        ("scan", {"path": outside}, "expected a file below the folder of the server"),
        ("scan", {"path": "link.npy"}, "expected a file below the folder of the server"),
        ("verify", {"forecast": "fields.npy", "truth": outside}, "path: expected a file below"),
        ("verify", {"forecast": "fields.npy", "truth": "link.npy::group"}, "path: expected a file below"),
        ("scan", {"path": "a\0b"}, "expected a path, got"),
        (
            "scan",
            {},
            "arguments: expected arguments as in the tool's schema, got 'path' is a required property",
        ),
        (
            "scan",
            {"path": 3},
            "path: expected arguments as in the tool's schema, got 3 is not of type 'string'",
        ),
        ("scan", {"path": "waves.npy", "out": "x"}, "'out' was unexpected"),
        ("convert", {"value": -1, "from": "tancik", "to": "rff"}, "value: expected arguments as in"),
        (
            "train",
            {},
            "tool: expected one of scan, choose, convert, lint, verify, got 'train'; call one of them.",
        ),
    ]

    async def conversation(client, _):
        return [refused(await client.call_tool(name, arguments)) for name, arguments, _ in calls]

    for (_, _, said), sentence in zip(calls, talk(root, conversation), strict=True):
        assert said in sentence


def test_long_work_is_ended(root):
    async def conversation(client, _):
        return refused(await client.call_tool("choose", {"path": "waves.npy", "seconds": 1}))

    sentence = talk(root, conversation, "--limit", 0.2)
    assert sentence.startswith("expected an answer within 0.2 s, got none; pass a smaller file")


def test_paths_stay_below_the_root(root):
    assert path_below(root, "waves.npy") == root / "waves.npy"
    assert path_below(root, "x/../waves.npy") == root / "waves.npy"
    with pytest.raises(InputError, match="below the folder"):
        path_below(root, "..")


def test_a_folder_that_is_none_is_refused(root):
    answer = ask("mcp", "--root", root / "waves.npy")
    assert (answer.code, answer.out) == (2, "")
    assert answer.sentence.endswith("pass one that exists.")
