"""Write tables into docs/performance.md: python -m tests.benchmark.page NAME...

results/benchmark/NAME.tsv replaces what is between ``<!-- NAME -->`` and ``<!-- end -->``; where
that file is not there, the page stays as it is.
"""

import re
import sys

import pandas as pd

from tests.benchmark import side_by_side, tables
from tests.benchmark.report import RESULTS, ROOT

PAGE = ROOT / "docs" / "performance.md"


def filled(page, name, table):
    """The page with the table at its place; an error where it has none."""
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not place.search(page):
        raise SystemExit(f"{PAGE}: has no place <!-- {name} --> ... <!-- end -->")
    return place.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", page)


MEASURED = {
    "step": tables.readable,
    "gpu": tables.readable_gpu,
    "side_by_side": side_by_side.readable,
}  # all others are figures beside bars


def figure_table(table):
    """Figures with their units, and a word if a bar is missed."""
    missed = table.verdict.map(lambda verdict: f", {verdict}" if verdict else "")
    shown = {"what": table.what, "measured": table.measured + " " + table.unit}
    return pd.DataFrame(shown | {"bar": table.bar + missed}).to_markdown(
        index=False, tablefmt="github", disable_numparse=True
    )


def written(name, folder):
    """What stands in the page for the file of this name."""
    path = folder / f"{name}.tsv"
    if name in MEASURED:
        return tables.markdown(MEASURED[name](pd.read_csv(path, sep="\t")))
    return figure_table(pd.read_csv(path, sep="\t", keep_default_na=False, dtype=str))


def main(names, folder=RESULTS):
    page = PAGE.read_text(encoding="utf-8")
    for name in names:
        if (folder / f"{name}.tsv").exists():
            page = filled(page, name, written(name, folder))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
