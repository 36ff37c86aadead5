from ._compare import compare as compare
from ._comparison import ComparisonResult as ComparisonResult
