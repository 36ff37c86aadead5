from ._catalogue import catalogue as catalogue
from ._catalogue import find_study as find_study
from ._result import StudyResult as StudyResult
from ._run import run_studies as run_studies
from ._study import Study as Study
from ._study import StudySize as StudySize
