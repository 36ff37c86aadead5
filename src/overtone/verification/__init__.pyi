from ._result import Verification as Verification
from ._verify import verify as verify
