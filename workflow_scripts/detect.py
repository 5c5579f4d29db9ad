"""Run ``softscene detect`` from a checkout, with the students of its newest run."""

import sys
from pathlib import Path

from softscene.cli import main

if __name__ == "__main__":
    sys.exit(main(["detect", *sys.argv[1:]], runs=Path(__file__).parents[1] / "results"))
