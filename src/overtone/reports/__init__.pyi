from ._figures import save_figures as save_figures
from ._page import report as report
from ._verdict import QUESTIONS as QUESTIONS
from ._verdict import verdict as verdict
