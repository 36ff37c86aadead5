"""Reports: one self-contained HTML page from one or more records, and its verdict in plain sentences. No torch."""

from overtone.reports._page import render, write
from overtone.reports._verdict import QUESTIONS, verdict

__all__ = ["QUESTIONS", "render", "verdict", "write"]
