"""Choose before training: what a signal's own spectrum and noise floor recommend."""

from overtone.tune.bandwidth import Recommendation, recommend_bandwidth
from overtone.tune.scan import Scan, measure_noise, scan

__all__ = ["Recommendation", "Scan", "measure_noise", "recommend_bandwidth", "scan"]
