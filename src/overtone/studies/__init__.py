"""The literature's claims about spectral bias, each with its test and its verdict."""

from overtone.studies.catalogue import find as find
from overtone.studies.catalogue import studies as studies
from overtone.studies.criterion import AtLeast as AtLeast
from overtone.studies.criterion import AtMost as AtMost
from overtone.studies.criterion import Between as Between
from overtone.studies.criterion import Criterion as Criterion
from overtone.studies.interval import Interval as Interval
from overtone.studies.result import Result as Result
from overtone.studies.run import run as run
from overtone.studies.size import Size as Size
from overtone.studies.study import Axes as Axes
from overtone.studies.study import Condition as Condition
from overtone.studies.study import Effort as Effort
from overtone.studies.study import Family as Family
from overtone.studies.study import Measured as Measured
from overtone.studies.study import Study as Study
from overtone.studies.verdict import Judgement as Judgement
from overtone.studies.verdict import Verdict as Verdict
