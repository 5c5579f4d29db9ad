"""Print a finished run's Table 3 and the paths of its results: show_results.py results/<run>."""

import sys
from pathlib import Path

RESULTS = {
    "tables": ["tables/table1.md", "tables/table3.md", "tables/table4.md"],
    "figures": ["figures/fig3.png", "figures/fig3.pdf"],
    "report": ["report.html"],
}


def headline(table3: str) -> str:
    """The part of ``table3.md`` before its second setting."""
    parts = table3.split("\n## ")
    return "\n## ".join(parts[:2]).strip()


def main(folder: str) -> None:
    run = Path(folder)
    print(f"\n{headline((run / 'tables/table3.md').read_text(encoding='utf-8'))}\n")
    for name, paths in RESULTS.items():
        there = [str(run / path) for path in paths if (run / path).exists()]
        print(f"{name + ':':9}{'  '.join(there) or 'not made yet'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
