"""All comparisons of a run, from the students' scores to tables."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from softscene.analysis.claims import COLUMNS, explain_gain, judge_claims
from softscene.analysis.intervals import (
    AGAINST,
    SCORES,
    collect_pairs,
    table_of_comparisons,
    table_of_means,
)
from softscene.config.variants import (
    ROW,
    WEIGHTS,
    Chosen,
    Variant,
    choose_variants,
    of_paper,
    shown_variants,
)
from softscene.core.tsv import write_table
from softscene.evaluation.tables import (
    SETTING,
    Conventions,
    absent_as_zero,
    headline,
    read_published,
    runs_of,
)


def compare_methods(
    overall: Sequence[str],
    class_wise: Sequence[str],
    variants: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[int, int]],
    published: Mapping[str, str | Path],
    results: Mapping[str, str | Path],
    conventions: Conventions,
    synthetic: bool,
    own: bool = False,
) -> None:
    """Write ``means``, ``comparisons``, ``events``, ``claims`` and ``controls``.

    The last column of each, ``corpus``, says where the numbers come from: ``synthetic`` or
    ``recordings``.

    Parameters
    ----------
    overall, class_wise
        Scores of each student: of all its events, and of each.
    variants, places
        Variant, as a job gets it, and (fold, seed) of each student, in the same order.
    published
        The paper's ``table3``, whose weights choose the students to compare, and ``table4``.
    results
        Target of each table.
    conventions
        Name -> seconds of a segment.
    synthetic
        Whether the corpus is synthetic.
    own
        Whether the data are the user's own: the paper has neither numbers nor claims for them.
    """
    corpus = "synthetic" if synthetic else "recordings"

    def write(table: pd.DataFrame, name: str) -> None:
        write_table(table.assign(corpus=corpus), results[name])

    scores = collect_pairs(runs_of(variants, overall), places)
    trained = list(dict.fromkeys(Variant(**each) for each in variants))
    chosen = choose_variants(trained)
    write(table_of_means(scores, SETTING), "means")
    write(explain_gain(headline(scores), chosen), "controls")

    events = absent_as_zero(collect_pairs(runs_of(variants, class_wise), places))
    pairs, shown = pairs_of(trained, chosen), shown_variants(trained)
    among = [(one, other) for one, other in pairs if one in shown and other in shown]
    compared = {
        "comparisons": table_of_comparisons(scores, pairs, SETTING),
        "events": table_of_comparisons(headline(events), among, [*SETTING, "event"]),
    }
    for (name, table), paper in zip(compared.items(), ("table3", "table4"), strict=True):
        known = read_published(published[paper], conventions)
        write(add_published_differences(table, known.iloc[:0] if own else known), name)
    none = pd.DataFrame(columns=list(COLUMNS))
    write(none if own else judge_claims(scores, events, trained, published), "claims")


def add_published_differences(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Add ``published_difference`` before ``difference``; NaN if the paper lacks a student.

    Parameters
    ----------
    table
        From :func:`softscene.analysis.intervals.table_of_comparisons`, of all events or of each.
    paper
        From :func:`softscene.evaluation.tables.read_published`, of the same.
    """
    keys = ["convention", *(["event"] if "event" in paper else [])]
    scores = {f"published_{score}": score for score in SCORES}
    one = paper.rename(columns=scores).melt(
        [*ROW, *keys], list(SCORES), "score", "published_difference"
    )
    other = one.rename(columns=dict(zip(ROW, AGAINST, strict=True)))
    weights = [*WEIGHTS, *(f"against_{weight}" for weight in WEIGHTS)]
    known = table.astype(dict.fromkeys(weights, float)).merge(
        one, "left", on=[*ROW, *keys, "score"]
    )
    known = known.merge(other, "left", on=[*AGAINST, *keys, "score"], suffixes=("", "_other"))
    apart = known.published_difference - known.published_difference_other
    place = table.columns.get_loc("difference")
    table = table.copy()
    table.insert(place, "published_difference", apart.to_numpy())
    return table


def pairs_of(variants: Sequence[Variant], chosen: Chosen) -> list[tuple[Variant, Variant]]:
    """Pairs of students to compare.

    Those that claims are about with each other, custom methods with the paper's among these and
    with those of their own loss and weights, and all whose students have the configuration's
    settings with the baseline.
    """
    pairs = [(one, other) for other, one in combinations(chosen, 2)]
    papers = [each for each in chosen if not each.is_control]
    for each in (each for each in variants if each.custom):
        alike = [other for other in of_paper(variants) if _is_alike(each, other)]
        pairs += [(each, other) for other in dict.fromkeys([*papers, *alike])]
    if chosen.baseline:
        comparable = [each for each in variants if not each.student_overrides]
        others = [(each, chosen.baseline) for each in comparable if each != chosen.baseline]
        pairs += [pair for pair in others if pair not in pairs]
    return pairs


def _is_alike(one: Variant, other: Variant) -> bool:
    """Whether two variants differ in their code alone, and maybe in overrides."""
    return (one.loss, one.labels, one.weights) == (other.loss, other.labels, other.weights)
