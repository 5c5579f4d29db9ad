"""Thresholds: the grid, the best of it, and who may look at what."""

import numpy as np
import pandas as pd
import pytest
from softscene.evaluation.scoring import choose_thresholds
from softscene.evaluation.thresholds import best_thresholds, grid, reached, sweep

from tests.conftest import PAPER

GRID = grid(**PAPER["evaluation"]["adaptive_thresholds"])


def test_the_grid_is_that_of_the_authors():
    assert len(GRID) == int((0.7 - 0.3) / 0.02 + 1) == 20, "0.70 is lost in floating point"
    assert list(GRID[:3]) == [0.3, 0.32, 0.34]
    assert GRID[-1] == 0.68
    assert list(grid(0.5, 0.5, 0.1)) == [0.5]
    assert list(grid(0.1, 0.35, 0.1)) == [0.1, 0.2, 0.3]


def test_sweep_counts_what_a_loop_counts():
    rng = np.random.default_rng(0)
    pairs = [(rng.random((n, 2)) < 0.4, rng.random((n, 2)).astype(np.float32)) for n in (50, 7)]
    pairs[0][1][:30] = rng.choice(GRID, (30, 2))  # on a threshold, and so detected
    pairs[1][1][0] = 0.5, np.nan
    table = sweep(pairs, GRID, ("a", "b")).set_index(["event", "threshold"])
    for i, event in enumerate("ab"):
        for threshold in GRID:
            hits = extras = misses = 0
            for reference, probabilities in pairs:
                for truth, value in zip(reference[:, i], probabilities[:, i], strict=True):
                    hits += truth and value >= np.float32(threshold)
                    extras += not truth and value >= np.float32(threshold)
                    misses += truth and not value >= np.float32(threshold)
            assert tuple(table.loc[event, threshold]) == (hits, extras, misses)


def test_what_reaches_its_threshold_is_detected():
    """As in the authors' evaluator, which has float32 probabilities too: of each 20 thresholds."""
    theirs = [0.3 + 0.02 * step for step in range(20)]
    on = np.array(theirs).astype(np.float32)
    below = np.nextafter(on, np.float32(0))
    for limits in (GRID, np.array(theirs)):
        assert reached(on, limits).all()
        assert not reached(below, limits).any()
    assert reached([[0.5, 0.44]], 0.5).tolist() == [[True, False]]


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


def by_the_authors_rule(reference, probabilities):
    """SPEC's words in loops: 20 thresholds, the best F-score of a frame, of equals the lowest.

    Returns thresholds, F-scores at these, and in how many events other thresholds are as good.
    """
    chosen, scores, tied = [], [], 0
    for event in range(reference.shape[1]):
        best, where, ties = -1.0, None, 0
        for step in range(int((0.7 - 0.3) / 0.02 + 1)):
            threshold = 0.3 + 0.02 * step  # 0.33999999999999997, say
            detected = probabilities[:, event] >= np.float32(threshold)
            hits = np.sum(detected & reference[:, event])
            wrong = np.sum(detected != reference[:, event])
            score = 2 * hits / (2 * hits + wrong) if reference[:, event].any() else 0.0
            ties = ties + 1 if score == best else ties
            if score > best:
                best, where, ties = score, round(threshold, 2), 0
        chosen.append(where)
        scores.append(best)
        tied += ties > 0
    return chosen, scores, tied


@pytest.mark.parametrize("seed", range(5))
def test_oracle_thresholds_are_those_of_the_authors_evaluator(seed):
    """Students of many kinds: good, weak, never right, silent; events that are rare or absent."""
    random = np.random.default_rng(seed)
    frames, events = 120, 40
    reference = random.random((frames, events)) < random.choice([0, 0.02, 0.1, 0.5], events)
    reference[:, :5] = False
    skill = random.choice([-0.3, 0.0, 0.1, 0.3], events)
    probabilities = random.uniform(0.2, 0.8, (frames, events)) + skill * (2 * reference - 1)
    probabilities[:, ::7] = 0.1 * random.random((frames, len(range(0, events, 7))))  # silent
    probabilities[:, 1::7] = probabilities[:, 1::7].round(1) + 0.01  # many equal thresholds
    probabilities[:, 2::7] = probabilities[:, 2::7].round(2)  # many on a threshold
    probabilities = probabilities.clip(0, 1).astype(np.float32)
    names = tuple(f"e{i:02d}" for i in range(events))
    halves = [slice(0, 50), slice(50, frames)]
    counts = sweep([(reference[part], probabilities[part]) for part in halves], GRID, names)
    found = choose_thresholds(counts, counts, names, 0.5)
    chosen, scores, tied = by_the_authors_rule(reference, probabilities)
    assert list(found["oracle"]) == chosen
    assert tied > 10, "this test sees what is done of equals"
    assert list(found["adaptive"]) != chosen, "the honest search has a rule of its own"
    never = np.array(scores) == 0
    assert never.any()
    assert (found["oracle"][never] == 0.3).all()
    assert (found["adaptive"][never] == 0.5).all()
    for event, name in enumerate(names):
        at = counts[(counts.event == name) & (counts.threshold == chosen[event])].iloc[0]
        hits, wrong = at.true_positives, at.false_positives + at.false_negatives
        assert 2 * hits == pytest.approx(scores[event] * (2 * hits + wrong))


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


def test_an_event_that_does_not_occur_takes_the_preferred_threshold():
    table = counts(a=(0, 0, 0)).assign(false_positives=0, false_negatives=0)
    assert best_thresholds(table, ("a",), 0.5) == pytest.approx([0.5])
