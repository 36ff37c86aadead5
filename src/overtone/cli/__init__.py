"""The command line: one file a verb, each of which parses, calls and prints."""

from overtone.cli.main import main

__all__ = ["main"]
