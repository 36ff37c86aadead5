"""Reports: one self-contained HTML page from one or more records, and its verdict in plain sentences. No torch."""

from overtone.reports._page import report
from overtone.reports._verdict import QUESTIONS, verdict

__all__ = ["QUESTIONS", "report", "verdict"]
