"""Paired differences and their intervals, against closed forms and other implementations."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from softscene.config import StudentKind
from softscene.files import read_table, write_table
from softscene.statistics import (
    collect_pairs,
    compare,
    differences,
    estimate,
    of,
    table_of_comparisons,
    table_of_means,
)
from softscene.tables import Run, collect, summarise

from tests.unit.comparable import CRNN, HEAVY, LIGHT, PLACES, SOFT, SOFT5, scores_of

FOLDS = [fold for fold, _ in PLACES]
VALUES = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0, -3.0, 0.0, 1.5, 2.5, 6.0, 3.0])


def test_the_interval_of_six_pairs_is_that_of_all_their_resamples():
    """6^6 resamples can be listed, so the bootstrap's distribution is known exactly."""
    values = np.array([1.0, 2.0, 4.0, 8.0, 3.0, 4.5])
    means = [np.mean(chosen) for chosen in itertools.product(values, repeat=6)]
    found = estimate(values, [1, 1, 1, 2, 2, 2])
    assert found.mean == 3.75
    # Means are multiples of a twelfth; chance may move a quantile by a step.
    assert found.low == pytest.approx(np.quantile(means, 0.025), abs=0.09)
    assert found.high == pytest.approx(np.quantile(means, 0.975), abs=0.09)
    assert (found.pairs, found.folds) == (6, 2)


def test_the_interval_over_pairs_is_a_plain_bootstraps():
    random = np.random.default_rng(11)
    means = [random.choice(VALUES, len(VALUES)).mean() for _ in range(40_000)]
    found = estimate(VALUES, FOLDS)
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.08)
    assert found.high == pytest.approx(high, abs=0.08)
    assert high - low > 3, "the tolerance is small beside the interval"
    assert estimate(VALUES, FOLDS) == found, "the same numbers give the same interval"


def test_the_interval_over_folds_is_students():
    """By hand: means of the folds, their deviation, and t(0.975, 3) = 3.18245 from a table."""
    found = estimate(VALUES, FOLDS)
    means = np.array([7 / 3, 20 / 3, -0.5, 11.5 / 3])
    half = 3.182446 * means.std(ddof=1) / 2
    assert found.fold_low == pytest.approx(means.mean() - half, abs=1e-5)
    assert found.fold_high == pytest.approx(means.mean() + half, abs=1e-5)


def test_paired_means_and_folds_agree_with_scipys_paired_t_test():
    scores = scores_of({SOFT: 0.5, LIGHT: 0.46}, noise=0.02)
    found = compare(scores, SOFT, LIGHT, "f_score")
    one, other = (
        of(scores, each).groupby("fold").f_score.mean().to_numpy() for each in (SOFT, LIGHT)
    )
    reference = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert found.mean == pytest.approx(one.mean() - other.mean(), abs=1e-12)
    assert (found.fold_low, found.fold_high) == pytest.approx((reference.low, reference.high))


@pytest.mark.parametrize(
    ("spread", "pairs", "folds"),
    [(0.0, (0.87, 0.97), (0.90, 0.99)), (2.0, (0.5, 0.78), (0.90, 0.99))],
)
def test_how_often_intervals_hold_the_true_value(spread, pairs, folds):
    """True difference 0; the folds' share of the spread decides, as the module says."""
    random = np.random.default_rng(3)
    hits = np.zeros(2)
    for _ in range(300):
        values = np.repeat(random.normal(0, spread, 4), 3) + random.normal(0, 1, 12)
        found = estimate(values, FOLDS)
        hits += [found.low <= 0 <= found.high, found.fold_low <= 0 <= found.fold_high]
    for share, (low, high) in zip(hits / 300, (pairs, folds), strict=True):
        assert low <= share <= high


@pytest.mark.parametrize(
    ("pairs", "misses"), [(6, (0.10, 0.19)), (9, (0.07, 0.145)), (12, (0.055, 0.125))]
)
def test_how_often_few_pairs_miss_the_true_value(pairs, misses):
    """As docs/method.md says: 14.6, 10.8 and 8.9 %; of 600, two standard errors are 3 %."""
    random = np.random.default_rng(5)
    found = [estimate(random.normal(0, 1, pairs), range(pairs)) for _ in range(600)]
    low, high = misses
    assert low < np.mean([each.side() != 0 for each in found]) < high


@pytest.mark.parametrize(
    ("values", "folds", "has_pairs", "has_folds"),
    [
        ([], [], False, False),
        ([0.1], [1], False, False),
        ([0.1, 0.3], [1, 2], False, True),
        ([0.1, 0.2, 0.4, 0.3, 0.5], [1, 1, 1, 1, 1], False, False),
        ([0.1, 0.2, 0.4, 0.3, 0.5, -0.3], [1, 1, 1, 1, 1, 1], True, False),
        ([0.25, 0.25, 0.25, 0.25], [1, 1, 2, 2], False, False),
        ([0.25, 0.75, 0.75, 0.25], [1, 1, 2, 2], False, False),
        ([-0.5, 0.0, 0.5, 0.5, 0.0, -0.5], [1, 1, 1, 2, 2, 2], True, False),
    ],
)  # fmt: skip
def test_there_is_no_interval_where_nothing_tells_it(values, folds, has_pairs, has_folds):
    found = estimate(values, folds)
    assert np.isfinite([found.low, found.high]).all() == has_pairs
    assert np.isfinite([found.fold_low, found.fold_high]).all() == has_folds
    assert found.pairs == len(values)
    assert found.side() == 0, "no verdict"


def test_the_side_of_zero_is_that_of_the_whole_interval():
    assert estimate(VALUES + 10, FOLDS).side() == 1
    assert estimate(-VALUES - 10, FOLDS).side() == -1
    assert estimate(VALUES - VALUES.mean(), FOLDS).side() == 0
    assert estimate(VALUES + 10, FOLDS).fold_side() == 1
    assert estimate(VALUES, FOLDS).side() == 1
    assert estimate(VALUES, FOLDS).fold_side() == 0, "the folds are too far apart"
    assert estimate((VALUES + 10)[:5], FOLDS[:5]).side() == 0, "five pairs are too few"


def test_pairs_are_of_the_same_fold_and_seed_in_any_order():
    scores = scores_of({SOFT: 0.5, LIGHT: 0.46}, noise=0.0)
    found = differences(scores.sample(frac=1, random_state=1), SOFT, LIGHT, "f_score")
    assert list(zip(found.fold, found.seed, strict=True)) == PLACES
    np.testing.assert_allclose(found.difference, 0.04, atol=1e-12)


def test_other_weights_and_temperatures_are_other_students():
    scores = scores_of({SOFT: 0.5, SOFT5: 0.1, LIGHT: 0.46, HEAVY: 0.2, CRNN: 0.4}, noise=0.0)
    expected = {(SOFT, LIGHT): 0.04, (SOFT5, CRNN): -0.3, (CRNN, HEAVY): 0.2, (SOFT, SOFT5): 0.4}
    for (one, other), difference in expected.items():
        assert compare(scores, one, other, "f_score").mean == pytest.approx(difference)
        assert compare(scores, one, other, "error_rate").mean == pytest.approx(-difference)


def test_what_one_of_two_lacks_is_no_pair():
    scores = scores_of({SOFT: 0.5, LIGHT: 0.46}, noise=0.0)
    scores.loc[(scores.method == "MTL") & (scores.fold == 2), "f_score"] = np.nan
    lacking = scores[~((scores.method == "Soft") & (scores.fold == 3) & (scores.seed == 1))]
    found = compare(lacking, SOFT, LIGHT, "f_score")
    assert (found.pairs, found.folds) == (12 - 3 - 1, 3)
    assert found.mean == pytest.approx(0.04)
    assert compare(lacking, SOFT, LIGHT, "error_rate").pairs == 11
    assert compare(lacking, SOFT, HEAVY, "f_score").pairs == 0


def test_the_table_of_comparisons_turns_round_with_its_pairs():
    parts = [
        scores_of({SOFT: 0.5 + shift, LIGHT: 0.46, CRNN: 0.4}, noise=0.01, threshold=threshold)
        for threshold, shift in (("adaptive", 0.0), ("oracle", 0.1))
    ]
    scores = pd.concat(parts, ignore_index=True)
    keys = ["convention", "threshold"]
    table = table_of_comparisons(scores, [(SOFT, LIGHT), (LIGHT, SOFT)], keys)
    assert len(table) == 2 * 2 * 2
    there, back = table.iloc[:4], table.iloc[4:]
    assert list(there.against_method) == ["MTL"] * 4
    assert list(there.against_alpha) == [0.0001] * 4
    assert there.against_beta.isna().all()
    np.testing.assert_allclose(there.difference, -back.difference.to_numpy())
    np.testing.assert_allclose(there.fold_low, -back.fold_high.to_numpy())
    np.testing.assert_allclose(there.low, -back.high.to_numpy(), atol=1e-3)
    f_scores = there[there.score == "f_score"].set_index("threshold").difference
    assert f_scores["oracle"] - f_scores["adaptive"] == pytest.approx(0.1)


def test_the_table_of_no_comparisons_can_be_read(tmp_path):
    """A run of one method compares nothing, and its report reads the table all the same."""
    scores = scores_of({CRNN: 0.4})
    keys = ["convention", "threshold"]
    none = table_of_comparisons(scores, [], keys)
    write_table(none, tmp_path / "none.tsv")
    found = read_table(tmp_path / "none.tsv")
    assert found.empty
    some = table_of_comparisons(scores, [(CRNN, CRNN)], keys)
    assert list(found.columns) == list(some.columns)


def test_means_are_those_of_table_3(tmp_path):
    random = np.random.default_rng(2)
    runs = []
    for i in range(len(PLACES)):
        rows = [("frame", mode, *random.uniform(0, 1, 2)) for mode in ("adaptive", "fixed")]
        columns = ["convention", "threshold", "f_score", "error_rate"]
        write_table(pd.DataFrame(rows, columns=columns), tmp_path / f"{i}.tsv")
        kind = StudentKind("soft", beta="1.0", temperature="1.0")
        runs.append(Run(kind, "Soft", tmp_path / f"{i}.tsv"))
    keys = ["convention", "threshold"]
    scores = collect_pairs(runs, PLACES)
    assert list(zip(scores.fold[::2], scores.seed[::2], strict=True)) == PLACES
    means = table_of_means(scores, keys)
    expected = summarise(collect(runs), keys)
    for score in ("f_score", "error_rate"):
        own = means[means.score == score]
        np.testing.assert_allclose(own["mean"], expected[f"{score}_mean"])
        assert (own.pairs == 12).all()
        assert ((own.low < own["mean"]) & (own["mean"] < own.high)).all()
