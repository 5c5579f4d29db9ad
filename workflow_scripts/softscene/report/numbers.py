"""Numbers as the report shows them."""

import pandas as pd

from softscene.analysis.claims import BETTER, EVENTS, SCALE
from softscene.analysis.intervals import bounds_of, side_of

DIGITS = {"f_score": 2, "error_rate": 4, EVENTS: 1}
FACTORS = SCALE | {EVENTS: 1.0}
MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def records(table: pd.DataFrame) -> list[dict]:
    """Rows of a table by its columns' names."""
    return table.to_dict("records")


def number(value: float, score: str) -> str:
    """A score for the page: F-score in percent, error rate unscaled."""
    if pd.isna(value):
        return MISSING
    return f"{value * FACTORS[score]:.{DIGITS[score]}f}".replace("-", MINUS)


def gap(value: float, score: str) -> str:
    """A difference of scores, with its sign; points of the F-score's percentage."""
    if pd.isna(value):
        return MISSING
    return f"{value * FACTORS[score]:+.{DIGITS[score]}f}".replace("-", MINUS)


def interval(low: float, high: float, score: str, signed: bool = False) -> str:
    """An interval for the page."""
    if pd.isna(low) or pd.isna(high):
        return MISSING
    shown = gap if signed else number
    return f"[{shown(low, score)}, {shown(high, score)}]"


def score_name(score: str) -> str:
    """A score's name for display."""
    return {"f_score": "F-score", "error_rate": "Error rate"}[score]


def difference(row: tuple) -> dict:
    """A paired difference: its cells, and whether the first student is better."""
    off = BETTER[row.score] * side_of(*bounds_of(row))
    return {
        "published": gap(row.published_difference, row.score),
        "difference": gap(row.difference, row.score),
        "interval": interval(row.low, row.high, row.score, signed=True),
        "fold_interval": interval(row.fold_low, row.fold_high, row.score, signed=True),
        "bounds": interval(*bounds_of(row), row.score, signed=True),
        "pairs": row.pairs,
        "folds": row.folds,
        "side": {1: "better", -1: "worse"}.get(off, ""),
    }
