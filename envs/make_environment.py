"""Write the conda file from the pip lock, so that the two cannot differ."""

from pathlib import Path

FOLDER = Path(__file__).parent
HEAD = """\
# Written by `make lock` from requirements.txt: the same pins for conda and `snakemake --sdm conda`.
name: softscene
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def environment(lock: str) -> str:
    """Text of ``environment.yaml`` for the text of ``requirements.txt``."""
    pins = [line.split("#")[0].strip() for line in lock.splitlines()]
    return HEAD + "".join(f"      - {pin}\n" for pin in pins if pin)


if __name__ == "__main__":
    lock = (FOLDER / "requirements.txt").read_text(encoding="utf-8")
    (FOLDER / "environment.yaml").write_text(environment(lock), encoding="utf-8")
