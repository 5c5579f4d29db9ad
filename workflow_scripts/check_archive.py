"""Check a published run's numbers: check_archive.py archive.zip; needs nothing but Python 3.11."""

import sys

from softscene.archive.checking import check_archive
from softscene.core.errors import SoftSceneError, printable


def main(*paths: str) -> str | None:
    """Print what agrees; return what does not."""
    if len(paths) != 1:
        return "usage: check_archive.py archive.zip"
    try:
        agreed, problems = check_archive(paths[0])
    except SoftSceneError as error:
        return str(error)
    if problems:
        return "\n".join(
            map(printable, [f"{paths[0]}: these numbers or files do not agree:", *problems])
        )
    print(*map(printable, [*agreed, "all agree"]), sep="\n")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
