"""All comparisons of a run, from the students' scores to tables."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from softscene.claims import explain_gain, judge_claims
from softscene.contenders import Chosen, Contender, choose, contenders_of
from softscene.files import write_table
from softscene.statistics import collect_pairs, table_of_comparisons, table_of_means
from softscene.tables import HEADLINE, SETTING, runs_of


def compare_methods(
    overall: Sequence[str],
    class_wise: Sequence[str],
    kinds: Sequence[Mapping[str, str]],
    places: Sequence[tuple[int, int]],
    methods: Mapping[str, Mapping[str, str]],
    published: str | Path,
    results: Mapping[str, str | Path],
    synthetic: bool,
) -> None:
    """Write ``means``, ``comparisons``, ``events``, ``claims`` and ``controls``.

    The last column of each, ``corpus``, says what the numbers are of: ``synthetic`` or
    ``recordings``.

    Parameters
    ----------
    overall, class_wise
        Scores of each student: of all its events, and of each.
    kinds, places
        Kind and (fold, seed) of each student, in the same order.
    methods
        The configuration's.
    published
        Table 3 as published.
    results
        Target of each table.
    synthetic
        Whether the corpus is.
    """
    corpus = "synthetic" if synthetic else "recordings"

    def write(table: pd.DataFrame, name: str) -> None:
        write_table(table.assign(corpus=corpus), results[name])

    names = {key: method["name"] for key, method in methods.items()}
    scores = collect_pairs(runs_of(kinds, names, overall), places)
    unique = list({tuple(kind.items()): kind for kind in kinds}.values())
    contenders = contenders_of(unique, methods)
    chosen = choose(contenders, published)
    write(table_of_means(scores, SETTING), "means")
    pairs = pairs_of(contenders, chosen)
    write(table_of_comparisons(scores, pairs, SETTING), "comparisons")
    write(judge_claims(scores, contenders, published), "claims")
    write(explain_gain(headline(scores), chosen), "controls")

    events = headline(collect_pairs(runs_of(kinds, names, class_wise), places))
    among = [(one, other) for other, one in combinations(chosen, 2)]
    compared = table_of_comparisons(events, among, [*SETTING, "event"])
    write(compared, "events")


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the paper's convention with thresholds that do not look at what they are tested on.

    The paper's convention is ``frame``, see :data:`softscene.tables.HEADLINE`.
    """
    return table[(table.convention == HEADLINE[0]) & (table.threshold == HEADLINE[1])]


def pairs_of(contenders: Sequence[Contender], chosen: Chosen) -> list[tuple[Contender, Contender]]:
    """Who is compared with whom: each with the baseline, and those that claims are about."""
    pairs = [(one, other) for other, one in combinations(chosen, 2)]
    if chosen.baseline:
        others = [(each, chosen.baseline) for each in contenders if each != chosen.baseline]
        pairs += [pair for pair in others if pair not in pairs]
    return pairs
