"""Write tables into docs/performance.md: python -m tests.benchmark.page NAME...

results/benchmark/NAME.tsv replaces what stands between ``<!-- NAME -->`` and ``<!-- end -->``.
"""

import re
import sys

import pandas as pd

from tests.benchmark import bench
from tests.benchmark.report import RESULTS, ROOT

PAGE = ROOT / "docs" / "performance.md"


def filled(page, name, table):
    """The page with the table at its place; an error where it has none."""
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not place.search(page):
        raise SystemExit(f"{PAGE}: has no place <!-- {name} --> ... <!-- end -->")
    return place.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", page)


def main(names):
    page = PAGE.read_text(encoding="utf-8")
    for name in names:
        as_written = {} if name == "step" else {"dtype": str}
        table = pd.read_csv(RESULTS / f"{name}.tsv", sep="\t", keep_default_na=False, **as_written)
        shown = bench.readable(table) if name == "step" else table
        page = filled(page, name, shown.to_markdown(index=False, disable_numparse=True))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
