"""The field's metrics over all students: means, paired differences, and what they say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from softscene.analysis.intervals import (
    AGAINST,
    bounds_of,
    collect_pairs,
    side_of,
    table_of_comparisons,
    table_of_means,
)
from softscene.config.variants import ROW, Variant, choose_variants, title_of
from softscene.core.files import write_text
from softscene.core.tsv import write_table
from softscene.evaluation.metrics import FIELD_KEYS, THRESHOLD_FREE
from softscene.evaluation.tables import SYNTHETIC_NOTE, as_markdown, runs_of

METRICS = {
    "average_precision": "Average precision, 1 s segments",
    "psds_1": "PSDS, scenario 1",
    "psds_2": "PSDS, scenario 2",
    "event_f_score": "Event-based F-score",
    "frame_f_score": "Frame F-score",
    "segment_f_score": "Segment F-score",
    "scene_accuracy": "Scene accuracy of clips",
}
SHORT = {"average_precision": "average precision", "psds_1": "PSDS 1", "psds_2": "PSDS 2"}
SIDES = {1: "better", -1: "worse", 0: "inconclusive"}
# The paper's own score, and the same averaged as the scores without thresholds are.
MICRO, MACRO = (("frame_f_score", average, "adaptive") for average in ("micro", "macro"))


def compare_field_metrics(
    files: Sequence[str],
    variants: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[int, int]],
    results: Mapping[str, str | Path],
    synthetic: bool,
) -> None:
    """Write ``field_means`` and ``field_comparisons``, and ``field_page`` (Markdown) of both.

    Compared are MTL with soft labels with MTL with one-hot scenes, and with the student without a
    scene branch.

    Parameters
    ----------
    files
        ``field_metrics.tsv`` of each student.
    variants, places, synthetic
        As for :func:`softscene.analysis.comparisons.compare_methods`.
    results
        Target of each table.
    """
    scores = collect_pairs(runs_of(variants, files), places)
    scores = scores[scores.event == ""]
    chosen = choose_variants([Variant(**each) for each in variants])
    others = [each for each in (chosen.hard, chosen.baseline) if each and chosen.soft]
    pairs = [(chosen.soft, other) for other in others]
    means = table_of_means(scores, FIELD_KEYS, ("value",)).drop(columns="score")
    number = (
        scores.groupby([*ROW, *FIELD_KEYS], dropna=False, sort=False).events.mean().reset_index()
    )
    means = means.merge(number, on=[*ROW, *FIELD_KEYS])
    apart = table_of_comparisons(scores, pairs, FIELD_KEYS, ("value",)).drop(columns="score")
    means, apart = means[means.pairs > 0], apart[apart.pairs > 0]
    corpus = "synthetic" if synthetic else "recordings"
    write_table(means.assign(corpus=corpus), results["field_means"])
    write_table(apart.assign(corpus=corpus), results["field_comparisons"])
    write_text(results["field_page"], _page(means, apart, synthetic))


def survival(apart: pd.DataFrame) -> str | None:
    """Whether a gain of soft labels over one-hot scenes survives without thresholds, in words.

    Parameters
    ----------
    apart
        From :func:`compare_field_metrics`.

    Returns
    -------
    str
        A sentence; None if these two are not compared.
    """
    rows = apart[apart.temperature.notna() & apart.against_alpha.notna()]
    if rows.empty:
        return None
    sides = {tuple(getattr(row, key) for key in FIELD_KEYS): side(row) for row in rows.itertuples()}
    micro, macro = sides.get(MICRO, 0), sides.get(MACRO, 0)
    free = [(name, sides.get((name, "macro", "none"), 0)) for name in THRESHOLD_FREE]
    found = ", ".join(f"{SHORT[name]} {SIDES[side]}" for name, side in free)
    if micro != 1:
        return (
            "With thresholds there is no gain of soft labels over one-hot ones that could survive "
            f"(frame F-score: {SIDES[micro]}); without thresholds: {found}."
        )
    if macro != 1:  # or the average would be taken for the thresholds
        return (
            "With thresholds the gain of soft labels over one-hot ones is in the micro average "
            f"only (macro frame F-score: {SIDES[macro]}); without thresholds: {found}."
        )
    which = {1: "survives", -1: "does not survive"}
    same = {side for _, side in free}
    if len(same) == 1 and same != {0}:
        return (
            f"The gain of soft labels over one-hot ones {which[same.pop()]} when thresholds play "
            f"no part: {found}."
        )
    return (
        "Whether the gain of soft labels over one-hot ones survives when thresholds play no part "
        f"is inconclusive: {found}."
    )


def side(row: tuple) -> int:
    """Side of zero on which a row's difference lies: 1, -1; 0 if inconclusive."""
    return side_of(*bounds_of(row))


def name_of(row: tuple) -> str:
    """A metric with its average and thresholds, for display."""
    words = [METRICS.get(row.metric, row.metric)]
    words += [row.average] if row.average and row.metric not in ("psds_1", "psds_2") else []
    words += [f"{row.threshold} thresholds"] if row.threshold != "none" else []
    return ", ".join(words)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by metric, those without thresholds first."""
    rank = table.metric.map({name: i for i, name in enumerate(METRICS)})
    return table.assign(rank=rank).sort_values("rank", kind="stable").drop(columns="rank")


def _page(means: pd.DataFrame, apart: pd.DataFrame, synthetic: bool) -> str:
    """Both tables as Markdown, in percent."""
    lines = ["# Other metrics", ""]
    lines += [SYNTHETIC_NOTE, ""] if synthetic else []
    if said := survival(apart):
        lines += [said, ""]
    lines += [
        "Mean over folds and seeds in %, with its 95 % interval (Student's t within folds; with "
        "one seed per fold, over folds). Macro averages and PSDS are over the events that occur in "
        "the evaluation part, on average as many as the column events says. What each metric is: "
        "docs/method.md.",
        "",
    ]
    for title, rows in in_order(means).groupby(ROW, sort=False, dropna=False):
        lines += [f"## {as_markdown(title_of(title))}", "", _table(rows, "mean"), ""]
    for title, rows in in_order(apart).groupby([*ROW, *AGAINST], sort=False, dropna=False):
        one, other = title_of(title[: len(ROW)]), title_of(title[len(ROW) :])
        heading = as_markdown(f"{one} vs {other}")
        lines += [f"## {heading}", "", _table(rows, "difference"), ""]
    return "\n".join(lines)


def _table(rows: pd.DataFrame, value: str) -> str:
    cells = []
    for row in rows.itertuples():
        low, high = bounds_of(row)
        cell = {"metric": name_of(row), value: f"{100 * getattr(row, value):.2f}"}
        cell["95 %"] = "" if pd.isna(low) else f"[{100 * low:.2f}, {100 * high:.2f}]"
        if value == "difference":
            cell["soft labels are"] = SIDES[side(row)]
        else:
            cell["events"] = f"{row.events:g}" if row.events else ""
        cells.append(cell | {"pairs": f"{row.pairs} in {row.folds} fold{'s' * (row.folds != 1)}"})
    return pd.DataFrame(cells).to_markdown(index=False, disable_numparse=True)
