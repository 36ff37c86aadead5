"""Reports: one self-contained HTML page from one or more records, and its verdict in plain sentences. No torch."""

from overtone.reports.page import render, write
from overtone.reports.sentences import QUESTIONS, verdict

__all__ = ["QUESTIONS", "render", "verdict", "write"]
