"""Claims of the literature about spectral bias, each with its test and its verdict."""

from overtone.studies._catalogue import catalogue, find_study
from overtone.studies._result import StudyResult
from overtone.studies._run import run_studies
from overtone.studies._study import Study, StudySize

__all__ = ["Study", "StudyResult", "StudySize", "catalogue", "find_study", "run_studies"]
