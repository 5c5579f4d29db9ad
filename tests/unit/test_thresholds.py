"""Thresholds: the grid, the best of it, and who may look at what."""

import numpy as np
import pandas as pd
import pytest
from softscene.evaluation import choose_thresholds
from softscene.thresholds import best_thresholds, grid, sweep

GRID = grid(0.30, 0.70, 0.02)


def test_the_grid_is_that_of_the_authors():
    assert len(GRID) == 21
    assert list(GRID[:3]) == [0.3, 0.32, 0.34]
    assert GRID[-1] == 0.7
    assert list(grid(0.5, 0.5, 0.1)) == [0.5]
    assert list(grid(0.1, 0.35, 0.1)) == [0.1, 0.2, 0.3]


def test_sweep_counts_what_a_loop_counts():
    rng = np.random.default_rng(0)
    pairs = [(rng.random((n, 2)) < 0.4, rng.random((n, 2)).astype(np.float32)) for n in (50, 7)]
    pairs[0][1][:30] = rng.choice(GRID, (30, 2))  # on a threshold, as far as float32 goes
    pairs[1][1][0] = 0.5, np.nan
    table = sweep(pairs, GRID, ("a", "b")).set_index(["event", "threshold"])
    for i, event in enumerate("ab"):
        for threshold in GRID:
            hits = extras = misses = 0
            for reference, probabilities in pairs:
                for truth, value in zip(reference[:, i], probabilities[:, i], strict=True):
                    hits += truth and value > threshold
                    extras += not truth and value > threshold
                    misses += truth and not value > threshold
            assert tuple(table.loc[event, threshold]) == (hits, extras, misses)


def counts(**f_scores):
    """A sweep whose F-scores are the given hits of 100, at thresholds 0.3, 0.5, 0.7."""
    rows = [
        (event, threshold, hits, 100 - hits, 100 - hits)
        for event, each in f_scores.items()
        for threshold, hits in zip((0.3, 0.5, 0.7), each, strict=True)
    ]
    names = ["event", "threshold", "true_positives", "false_positives", "false_negatives"]
    return pd.DataFrame(rows, columns=names)


def test_the_best_threshold_wins_and_ties_go_to_the_middle():
    table = counts(low=(9, 5, 5), high=(5, 5, 9), never=(0, 0, 0), tie=(7, 7, 7), ends=(8, 5, 8))
    events = ("high", "low", "never", "tie", "ends")
    assert list(best_thresholds(table, events, 0.5)) == [0.7, 0.3, 0.5, 0.5, 0.3]


def test_only_oracle_thresholds_see_the_evaluation_part():
    development = counts(a=(9, 5, 5), b=(5, 9, 5))
    chosen = [
        choose_thresholds(development, evaluation, ("a", "b"), 0.4)
        for evaluation in (counts(a=(5, 5, 9), b=(9, 5, 5)), counts(a=(9, 5, 5), b=(5, 5, 9)))
    ]
    for modes in chosen:
        assert list(modes["fixed"]) == [0.4, 0.4]
        assert list(modes["adaptive"]) == [0.3, 0.5]
    assert list(chosen[0]["oracle"]) == [0.7, 0.3]
    assert list(chosen[1]["oracle"]) == [0.3, 0.7]


def test_an_event_that_does_not_occur_takes_the_fallback():
    table = counts(a=(0, 0, 0)).assign(false_positives=0, false_negatives=0)
    assert best_thresholds(table, ("a",), 0.5) == pytest.approx([0.5])
