"""Write tables into docs/performance.md: python -m tests.benchmark.page NAME...

results/benchmark/NAME.tsv replaces what is between ``<!-- NAME -->`` and ``<!-- end -->``.
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


def bench_table(table):
    return bench.readable(table).to_markdown(index=False, disable_numparse=True)


def figure_table(table):
    """Figures with their units, and a word if a bar is missed."""
    missed = table.verdict.map(lambda verdict: f", {verdict}" if verdict else "")
    shown = {"what": table.what, "measured": table.measured + " " + table.unit}
    return pd.DataFrame(shown | {"bar": table.bar + missed}).to_markdown(
        index=False, tablefmt="github", disable_numparse=True
    )


def main(names):
    page = PAGE.read_text(encoding="utf-8")
    for name in names:
        as_written = {} if name == "step" else {"dtype": str}
        table = pd.read_csv(RESULTS / f"{name}.tsv", sep="\t", keep_default_na=False, **as_written)
        page = filled(page, name, bench_table(table) if name == "step" else figure_table(table))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
