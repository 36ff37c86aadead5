"""Write the short results that come with overtone from the full ones in `evidence/`."""

from __future__ import annotations

from overtone.studies import StudyResult, StudySize, catalogue
from overtone.studies._result import PACKAGED_RESULTS, evidence_folder


def main() -> None:
    """Shorten the quick result of every study."""
    folder = evidence_folder()
    if folder is None:
        raise SystemExit("Run this in a checkout, after: overtone study run all --size quick --out evidence")
    for study in catalogue().values():
        result = StudyResult.load(study, StudySize.QUICK, folder)
        if result is not None:
            result.save(PACKAGED_RESULTS, short=True)


if __name__ == "__main__":
    main()
