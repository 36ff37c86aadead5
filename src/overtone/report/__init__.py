"""Reports: one self-contained HTML page from one or more records, and its verdict in plain sentences. No torch."""

from overtone.report.page import render, write
from overtone.report.sentences import QUESTIONS, verdict

__all__ = ["QUESTIONS", "render", "verdict", "write"]
