"""Paired differences and their intervals, against closed forms and other implementations."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from softscene.analysis.intervals import (
    collect_pairs,
    compare,
    differences,
    estimate,
    of,
    table_of_comparisons,
    table_of_means,
)
from softscene.config.variants import Variant
from softscene.core.tsv import read_table, write_table
from softscene.evaluation.tables import Run, collect, summarise

from tests.coverage import coverage
from tests.unit.analysis.comparable import CRNN, HEAVY, LIGHT, PLACES, SOFT, SOFT5, scores_of

FOLDS = [fold for fold, _ in PLACES]
VALUES = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0, -3.0, 0.0, 1.5, 2.5, 6.0, 3.0])


def test_the_interval_within_folds_is_students():
    """By hand: squares within folds, 12 - 4 degrees, t(0.975, 8) = 2.306004 from a table."""
    found = estimate(VALUES, FOLDS)
    squares = sum(
        sum((value - sum(fold) / 3) ** 2 for value in fold)
        for fold in ([1.0, 4.0, 2.0], [8.0, 5.0, 7.0], [-3.0, 0.0, 1.5], [2.5, 6.0, 3.0])
    )
    half = 2.306004 * math.sqrt(squares / 8 / 12)
    assert found.mean == pytest.approx(37 / 12)
    assert found.low == pytest.approx(37 / 12 - half, abs=1e-5)
    assert found.high == pytest.approx(37 / 12 + half, abs=1e-5)
    assert (found.pairs, found.folds) == (12, 4)


@pytest.mark.parametrize("left_out", [(), (0,), (1, 7, 11), (3, 4)])
def test_the_interval_within_folds_is_a_linear_models(left_out):
    """Least squares with a mean for each fold; folds may have different numbers of seeds."""
    kept = np.delete(np.arange(12), left_out)
    values, folds = VALUES[kept], np.array(FOLDS)[kept]
    design = (folds[:, None] == np.unique(folds)).astype(float)
    means, (squares,), *_ = np.linalg.lstsq(design, values)
    freedom = len(values) - design.shape[1]
    weights = design.mean(axis=0)  # the mean of all values, in terms of the folds' means
    variance = squares / freedom * weights @ np.linalg.inv(design.T @ design) @ weights
    low, high = stats.t.interval(0.95, freedom, weights @ means, np.sqrt(variance))
    found = estimate(values, folds)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_of_one_fold_it_is_students_interval_of_its_seeds():
    reference = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    found = estimate(VALUES, [3] * 12)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert np.isnan(found.fold_low)


def test_a_fold_in_which_nothing_differs_adds_no_degree_of_freedom():
    """As where an event is absent: three zeros, which are no sample of how seeds differ."""
    values = np.array([0.0, 0.0, 0.0, 1.0, 4.0, 2.0])
    found = estimate(values, [1, 1, 1, 2, 2, 2])
    seeds = stats.ttest_1samp(values[3:], 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(7 / 6)
    assert found.high - found.low == pytest.approx((seeds.high - seeds.low) / 2), "half the weight"


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
    ("folds", "seeds", "spread"), [(4, 3, 0.0), (4, 3, 2.0), (4, 2, 1.0), (2, 2, 2.0), (1, 3, 0.0)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(folds, seeds, spread):
    """As in docs/method.md; of 1,000 studies of 95 %, three standard errors are 2 %."""
    found = coverage(folds, seeds, spread, 1000, resamples=0)
    assert found["within folds", "seeds"] == pytest.approx(0.95, abs=0.021)
    if folds > 1:
        assert found["over folds", "folds"] == pytest.approx(0.95, abs=0.021)
    if spread == 2.0:
        assert found["within folds", "folds"] < 0.75, "it is of these folds and of no others"


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_with_one_seed_in_each_fold_the_interval_over_folds_covers_at_least_as_it_says(spread):
    """Of other initialisations: it holds the spread of folds as well."""
    found = coverage(3, 1, spread, 1000, resamples=0)
    assert np.isnan(found["within folds", "seeds"])
    assert found["over folds", "seeds"] > 0.95 - 0.021
    assert found["over folds", "folds"] == pytest.approx(0.95, abs=0.021)


@pytest.mark.parametrize(("spread", "low", "high"), [(0.0, 0.88, 0.94), (2.0, 0.98, 1.0)])
def test_a_bootstrap_over_pairs_would_not(spread, low, high):
    """Too seldom where folds do not differ, too often where they do: of 4 folds x 3 seeds."""
    found = coverage(4, 3, spread, 500, resamples=300)
    assert low < found["bootstrap over pairs", "seeds"] <= high


@pytest.mark.parametrize(
    ("values", "folds", "has_seeds", "has_folds"),
    [
        ([], [], False, False),
        ([0.1], [1], False, False),
        ([0.1, 0.3], [1, 2], False, True),
        ([0.1, 0.3], [1, 1], True, False),
        ([0.1, 0.2, 0.4], [1, 1, 2], True, True),
        ([-0.1, 0.2, 0.4, -0.3, 0.5, -0.3], [1, 1, 1, 1, 1, 1], True, False),
        ([0.25, 0.25, 0.25, 0.25], [1, 1, 2, 2], False, False),
        ([0.25, 0.25, 0.75, 0.75], [1, 1, 2, 2], False, True),
        ([0.25, 0.75, 0.75, 0.25], [1, 1, 2, 2], True, False),
        ([-0.5, 0.0, 0.5, 0.5, 0.0, -0.5], [1, 1, 1, 2, 2, 2], True, False),
    ],
)  # fmt: skip
def test_there_is_no_interval_where_nothing_tells_it(values, folds, has_seeds, has_folds):
    found = estimate(values, folds)
    assert np.isfinite([found.low, found.high]).all() == has_seeds
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


def test_few_pairs_tell_what_is_far_enough_from_zero():
    """Half widths by hand: t(0.975, 1) = 12.7062, t(0.975, 2) = 4.302653; deviations of 1 and 2."""
    two = estimate([9.2, 8.8], [1, 1])
    assert two.high - two.mean == pytest.approx(12.7062 * 0.2, abs=1e-4)
    assert two.side() == 1
    assert estimate([2.7, 2.3], [1, 1]).side() == 0
    three = estimate([1.0, 2.0, 3.0], [1, 2, 3])
    assert np.isnan(three.low)
    assert three.fold_high - three.mean == pytest.approx(4.302653 / math.sqrt(3), abs=1e-5)
    assert three.bounds() == (three.fold_low, three.fold_high)
    assert three.side() == three.fold_side() == 0
    assert estimate([4.0, 5.0, 6.0], [1, 2, 3]).side() == 1, "of one seed, the folds decide"


def test_seeds_decide_where_there_are_some_and_folds_do_not():
    constant = estimate([0.25, 0.25, 0.26, 0.26, 0.27, 0.27], [1, 1, 2, 2, 3, 3])
    assert constant.fold_side() == 1
    assert constant.side() == 0, "no seed differs from its neighbour: nothing tells how seeds would"


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
        variant = Variant("soft", "Soft", "soft", beta="1.0", temperature="1.0")
        runs.append(Run(variant, tmp_path / f"{i}.tsv"))
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
