"""Tables 1, 3 and 4: from the students' scores to what the paper prints."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markdown_it import MarkdownIt
from numpy.typing import ArrayLike

from softscene.config.labels import Labels
from softscene.config.variants import ROW, WEIGHTS, Variant, title_of
from softscene.core.errors import printable
from softscene.core.files import write_text
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import count_events, happenings

Conventions = Mapping[str, float]  # name -> seconds of a segment
SETTING = ["convention", "threshold"]
# The paper's own convention, and thresholds that are not chosen on the evaluation part.
HEADLINE = ("frame", "adaptive")
PRINTED = 4  # digits of fractions: 0.01 % of an F-score
SYNTHETIC_NOTE = (
    "**Synthetic corpus**: the sounds were generated, so these numbers show that the workflow "
    "runs; they say nothing about the paper's claim."
)


HELDOUT_NOTE = (
    " Trained on all development recordings, evaluated on held-out ones, which are in no fold. The "
    "paper has no such test."
)
COMPARE_NOTE = (
    " Quote adaptive thresholds; compare oracle ones with the paper's scores, which stand beside "
    "them: see docs/method.md."
)
OF_AUTHORS = "oracle"  # thresholds as the authors' code chooses them

HTML = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
th, td {{ padding: 0.25em 0.8em; border-bottom: 1px solid #ddd; text-align: left; }}
th {{ border-bottom: 2px solid #888; }}
td {{ font-variant-numeric: tabular-nums; }}
</style>
{body}</html>
"""


@dataclass(frozen=True)
class Run:
    """A trained and evaluated student, and the path of its scores."""

    variant: Variant
    scores: str | Path


def runs_of(variants: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> list[Run]:
    """Pair the variants, as a job gets them, with the score files, in order."""
    return [Run(Variant(**each), path) for each, path in zip(variants, scores, strict=True)]


def collect(runs: Sequence[Run]) -> pd.DataFrame:
    """All runs' scores in one table, with ``method`` and the weights as numbers."""
    parts = [
        read_table(run.scores).assign(**dict(zip(ROW, run.variant.row, strict=True)))
        for run in runs
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.astype({weight: float for weight in WEIGHTS})


def summarise(scores: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean and spread over the runs of each group.

    Parameters
    ----------
    scores
        From :func:`collect`.
    keys
        Columns that identify a row, besides method and weights.

    Returns
    -------
    DataFrame
        ``f_score_mean``, ``f_score_std``, ``error_rate_mean``, ``error_rate_std`` (sample standard
        deviation; missing for a single run) and ``runs``, the number of runs; for events also
        ``absent``, the number of these runs in which the event does not occur.
    """
    groups = scores.groupby([*ROW, *keys], dropna=False, sort=False)
    return groups.agg(
        f_score_mean=("f_score", "mean"),
        f_score_std=("f_score", "std"),
        error_rate_mean=("error_rate", "mean"),
        error_rate_std=("error_rate", "std"),
        runs=("f_score", "count"),
        **({"absent": ("absent", "sum")} if "absent" in scores else {}),
    ).reset_index()


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the setting :data:`HEADLINE`."""
    return table[(table.convention == HEADLINE[0]) & (table.threshold == HEADLINE[1])]


def absent_as_zero(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of events as Table 4 counts them.

    An event that is absent from a run's evaluation part has F = 0 there, as in the authors'
    evaluator; a column ``absent`` says where. Its error rate needs no rule: it is divided by the
    reference of all events, so it is 0 if the event is not detected either.
    """
    absent = scores.true_positives + scores.false_negatives == 0
    return scores.assign(f_score=scores.f_score.mask(absent, 0.0), absent=absent)


def read_published(published: str | Path, conventions: Conventions) -> pd.DataFrame:
    """The paper's Table 3 or 4: ``published_f_score``, a fraction, and ``published_error_rate``.

    Its ``convention`` is that of 0.02 s, as in the paper; ``none`` if none has 0.02 s.
    """
    paper = read_table(published).astype({weight: float for weight in WEIGHTS})
    same = [name for name, seconds in conventions.items() if math.isclose(seconds, 0.02)]
    return paper.assign(
        convention=same[0] if same else "none",
        published_f_score=(paper.f_score_percent / 100).round(6),
        published_error_rate=paper.error_rate,
    ).drop(columns=["f_score_percent", "error_rate"])


def add_published(
    table: pd.DataFrame, published: str | Path | None, conventions: Conventions, keys: Sequence[str]
) -> pd.DataFrame:
    """Add the paper's numbers to the rows of its convention; for your own data, leave them empty.

    Parameters
    ----------
    table
        From :func:`summarise`.
    published
        The paper's table; None if the data are not the paper's.
    conventions
        Name -> seconds of a segment.
    keys
        Columns that identify a row, besides method, weights and convention.
    """
    if published is None:
        return table.assign(published_f_score=float("nan"), published_error_rate=float("nan"))
    paper = read_published(published, conventions)
    return table.merge(paper, how="left", on=[*ROW, "convention", *keys])


def make_table3(
    runs: Sequence[Run], published: str | Path | None, conventions: Conventions
) -> pd.DataFrame:
    """Table 3: micro-averaged scores of each method in each convention and threshold mode."""
    table = add_published(summarise(collect(runs), SETTING), published, conventions, [])
    return _by_setting(table)


def make_table4(
    runs: Sequence[Run], published: str | Path | None, conventions: Conventions
) -> pd.DataFrame:
    """Table 4: scores of each event; the error rate is the paper's (see ``metrics``)."""
    scores = absent_as_zero(collect(runs))
    table = add_published(summarise(scores, [*SETTING, "event"]), published, conventions, ["event"])
    columns = [*ROW, *SETTING, "event"]
    return _by_setting(table[columns + [name for name in table.columns if name not in columns]])


def _by_setting(table: pd.DataFrame) -> pd.DataFrame:
    order = ["frame", "segment"], ["adaptive", "oracle", "fixed"]
    ranks = [
        table[key].map({name: i for i, name in enumerate(names)})
        for key, names in zip(SETTING, order, strict=True)
    ]
    place = pd.concat(ranks, axis=1).sort_values(SETTING, kind="stable").index
    return table.loc[place].reset_index(drop=True)


def write_table1(
    events: str | Path, labels: Labels, results: Mapping[str, str | Path], synthetic: bool
) -> None:
    """Write Table 1 to ``results``: ``tsv``, and ``md`` and ``html`` (count and duration)."""
    table = count_events(happenings(read_table(events)), labels)
    write_table(table, results["tsv"])
    cells = table.assign(
        cell=[
            f"{row.count_} ({row.duration:.1f} s)" if row.count_ else ""
            for row in table.rename(columns={"count": "count_"}).itertuples()
        ]
    ).pivot(index="event", columns="scene", values="cell")
    shown = cells.loc[list(labels.events), list(labels.scenes)].rename(columns=as_markdown)
    shown.insert(0, "event", list(map(as_markdown, labels.events)), allow_duplicates=True)
    text = "Occurrences of each event in each scene, and their total duration."
    _write_pages(results, "Table 1", text, [("", shown)], synthetic)


def write_table3(
    table: pd.DataFrame,
    results: Mapping[str, str | Path],
    conventions: Conventions,
    synthetic: bool,
    heldout: bool = False,
) -> None:
    """Write Table 3, or that of the held-out test, to ``results``: ``tsv``, ``md``, ``html``."""
    write_table(table, results["tsv"])
    published = ["published_f_score", "published_error_rate"]
    shown = table.copy()
    shown.loc[shown.threshold != OF_AUTHORS, published] = float("nan")
    sections = [
        (setting_title(setting, conventions), _readable(rows, ROW))
        for setting, rows in shown.groupby(SETTING, sort=False)
    ]
    title, over = ("Table 3, held-out test", "seeds") if heldout else ("Table 3", "folds and seeds")
    text = f"Micro-averaged over events; mean and standard deviation over {over}."
    text += HELDOUT_NOTE if heldout else ""
    text += COMPARE_NOTE if shown[published].notna().any(axis=None) else ""
    _write_pages(results, title, text, sections, synthetic)


def write_table4(
    table: pd.DataFrame,
    results: Mapping[str, str | Path],
    conventions: Conventions,
    synthetic: bool,
) -> None:
    """Write Table 4 to ``results['tsv']``, its headline setting to ``['md']`` and ``['html']``."""
    write_table(table, results["tsv"])
    rows = headline(table)
    best = pd.concat([_best_of_event(part) for _, part in rows.groupby("event", sort=False)])
    sections = [
        (title_of(key), _bold(_readable(part, ["event"]), best.loc[part.index]))
        for key, part in rows.groupby(ROW, sort=False, dropna=False)
    ]
    text = (
        f"Each event, {setting_title(HEADLINE, conventions)}. Error rate: the event's insertions "
        "and deletions over the reference of all events, as in the paper. The best method of each "
        "event is bold. None is bold if no method detects the event, all are equal, or the method "
        "with the lowest error rate never detects it. Absent: the number of runs whose evaluation "
        "part does not have the event; F = 0 there. All settings: `table4.tsv`."
    )
    _write_pages(results, "Table 4", text, sections, synthetic)


def _best_of_event(rows: pd.DataFrame) -> pd.DataFrame:
    """Which methods are the best of an event, in the columns that are printed bold."""
    f_scores, error_rates = rows.f_score_mean, rows.error_rate_mean
    return pd.DataFrame(
        {"F-score": best_of(f_scores, 1), "error rate": best_of(error_rates, -1, f_scores)},
        index=rows.index,
    )


def best_of(values: ArrayLike, better: int, f_scores: ArrayLike | None = None) -> np.ndarray:
    """Which of several methods' scores of an event are the best.

    Parameters
    ----------
    values
        .. x methods; NaN where a method has none.
    better
        1 if higher is better (F-score), -1 if lower is better (error rate).
    f_scores
        Of the same methods, if ``values`` are error rates: only a method that detects the event can
        be the best at it. The error rate of one that never does is the event's share of the
        reference; others exceed it as soon as they insert more than they find.

    Returns
    -------
    array
        Boolean, compared at the printed digits. All False if all are equal, if the best F-score is
        0, or if only methods that detect nothing have the best error rate.
    """
    scores = np.round(np.asarray(values, float), PRINTED) * better
    best = np.where(np.isnan(scores), -np.inf, scores).max(axis=-1, keepdims=True)
    worst = np.where(np.isnan(scores), np.inf, scores).min(axis=-1, keepdims=True)
    marks = (scores == best) & (worst < best)
    detected = values if better == 1 else f_scores
    if detected is not None:
        marks &= np.round(np.asarray(detected, float), PRINTED) > 0
    return marks


def _bold(table: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Make cells bold where ``best`` is true; it has some of the columns."""
    return table.assign(
        **{
            name: [
                f"**{cell}**" if mark else cell
                for cell, mark in zip(table[name], best[name], strict=True)
            ]
            for name in best.columns
        }
    )


def _write_pages(
    results: Mapping[str, str | Path],
    title: str,
    text: str,
    sections: Sequence[tuple[str, pd.DataFrame]],
    synthetic: bool,
) -> None:
    """Write a page for reading (``md``) and the same for the report (``html``)."""
    page = _page(title, text, sections, synthetic)
    write_text(results["md"], page)
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(page)
    write_text(results["html"], HTML.format(title=title, body=body))


def as_markdown(name: str) -> str:
    """Escape a name for a cell or a heading of Markdown, so that it is shown unchanged.

    A "_" between letters has no meaning in Markdown, and stays.
    """
    marks = r"[\\`*\[\]<>&|~$#!]|(?<![^\W_])_|_(?![^\W_])"
    return re.sub(marks, r"\\\g<0>", printable(name))


def _page(
    title: str, text: str, sections: Sequence[tuple[str, pd.DataFrame]], synthetic: bool
) -> str:
    lines = [f"# {title}", "", text, ""]
    lines += [SYNTHETIC_NOTE, ""] if synthetic else []
    for heading, table in sections:
        lines += [f"## {as_markdown(heading)}", ""] if heading else []
        lines += [table.to_markdown(index=False, disable_numparse=True), ""]
    return "\n".join(lines)


def setting_title(setting: tuple[str, str], conventions: Conventions) -> str:
    """A convention and a threshold mode in words."""
    seconds = conventions[setting[0]]
    paper = " (the paper's, as inferred from its Table 4)" if math.isclose(seconds, 0.02) else ""
    unit = {
        "frame": f"frames of {seconds * 1000:g} ms{paper}",
        "segment": f"segments of {seconds:g} s",
    }
    threshold = {
        "adaptive": "adaptive thresholds from the development part",
        "oracle": "oracle thresholds from the evaluation part (optimistic; the authors' code)",
        "fixed": "fixed threshold",
    }
    return f"{unit[setting[0]]}, {threshold[setting[1]]}"


def _readable(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Percentages with their spread; published numbers where there are any."""
    columns = {
        {"temperature": "T"}.get(key, key): [_plain(value) for value in table[key]] for key in keys
    }
    published = {
        "published F": _with_spread(table.published_f_score, None, 100, 2, " %"),
        "published ER": _with_spread(table.published_error_rate, None, 1, 4, ""),
    }
    return pd.DataFrame(
        columns
        | {
            "F-score": _with_spread(table.f_score_mean, table.f_score_std, 100, 2, " %"),
            "error rate": _with_spread(table.error_rate_mean, table.error_rate_std, 1, 4, ""),
            "runs": table.runs.astype(str).to_numpy(),
        }
        | ({"absent": table.absent.astype(str).to_numpy()} if "absent" in table else {})
        | (published if any(map(any, published.values())) else {})
    )


def _plain(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:g}"
    return as_markdown(value)


def _with_spread(
    means: pd.Series, spreads: pd.Series | None, scale: float, digits: int, unit: str
) -> list[str]:
    spreads = [float("nan")] * len(means) if spreads is None else spreads
    return [
        ""
        if pd.isna(mean)
        else f"{mean * scale:.{digits}f}"
        + ("" if pd.isna(spread) else f" ± {spread * scale:.{digits}f}")
        + unit
        for mean, spread in zip(means, spreads, strict=True)
    ]
