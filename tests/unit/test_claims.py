"""Verdicts: on known scores, and what stands in for what is not configured."""

import numpy as np
import pandas as pd
import pytest
from softscene.claims import (
    EXPLAINS,
    EXPLAINS_NOT,
    EXPLAINS_PART,
    EXPLAINS_SOME,
    NOT_REPRODUCED,
    REPRODUCED,
    UNTOLD,
    explain_gain,
    joint,
    judge,
    judge_claims,
    judge_control,
)
from softscene.comparisons import pairs_of
from softscene.config import StudentKind
from softscene.contenders import Chosen, Contender, choose, contenders_of
from softscene.statistics import Estimate, compare

from tests.conftest import ROOT
from tests.unit.comparable import (
    CRNN,
    FAINT,
    FOCAL,
    HEAVY,
    LIGHT,
    PLACES,
    SHUFFLED,
    SOFT,
    SOFT5,
    scores_of,
)

PUBLISHED = ROOT / "resources" / "published_table3.csv"
PAPER = {CRNN: 0.42, LIGHT: 0.46, HEAVY: 0.29, SOFT: 0.50, FAINT: 0.47}
NO = float("nan")
OWN_BASELINE = Contender(StudentKind("wide"), "Wide", "none", own=True)
OWN_SOFT = Contender(StudentKind("mine", beta="1.0", temperature="1.0"), "Mine", "soft", own=True)
OWN_CONTROL = Contender(
    StudentKind("noise", beta="1.0", temperature="1.0"), "Noise", "soft", "shuffled", own=True
)


@pytest.mark.parametrize(
    ("low", "high", "pairs", "wanted", "expected"),
    [
        (0.01, 0.03, 12, 1, REPRODUCED),
        (0.01, 0.03, 12, -1, NOT_REPRODUCED),
        (-0.03, -0.01, 12, -1, REPRODUCED),
        (-0.03, -0.01, 12, 1, NOT_REPRODUCED),
        (-0.01, 0.03, 12, 1, UNTOLD),
        (0.0, 0.03, 12, 1, UNTOLD),
        (0.01, 0.03, 6, 1, REPRODUCED),
        (0.01, 0.03, 5, 1, UNTOLD),
        (NO, NO, 12, 1, UNTOLD),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(low, high, pairs, wanted, expected):
    assert judge(Estimate(0.02, low, high, NO, NO, pairs, 4), wanted) == expected


def test_what_was_not_run_cannot_be_told():
    assert judge(None, 1) == UNTOLD


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([NOT_REPRODUCED, NOT_REPRODUCED], NOT_REPRODUCED),
        ([REPRODUCED, UNTOLD], UNTOLD),
        ([REPRODUCED, NOT_REPRODUCED], UNTOLD),
    ],
)
def test_a_claim_has_a_verdict_where_its_scores_agree(verdicts, expected):
    assert joint(verdicts) == expected


def settings(means, **options):
    """The same scores with adaptive and oracle thresholds."""
    return pd.concat(
        [scores_of(means, threshold=mode, **options) for mode in ("adaptive", "oracle")],
        ignore_index=True,
    )


def verdicts_of(means, contenders=None, **options):
    table = judge_claims(settings(means, **options), contenders or list(means), PUBLISHED)
    own = table[table.threshold == "adaptive"]
    return {key: list(rows.verdict) for key, rows in own.groupby("claim")}, table


def test_scores_as_published_reproduce_every_claim():
    verdicts, table = verdicts_of(PAPER)
    assert len(verdicts) == 5
    assert all(found == [REPRODUCED, REPRODUCED] for found in verdicts.values()), verdicts
    own = table[(table.threshold == "oracle") & (table.score == "f_score")].set_index("claim")
    assert own.difference.soft_over_hard == pytest.approx(0.04, abs=0.003)
    assert own.difference.heavy_under_crnn == pytest.approx(0.13, abs=0.003)
    # Ranges: |0.50 - 0.47| with soft labels, |0.46 - 0.29| with one-hot ones.
    assert own.difference.soft_spreads_less == pytest.approx(0.03 - 0.17, abs=0.005)


def test_published_differences_are_those_of_table_3():
    _, table = verdicts_of(PAPER)
    own = table[table.threshold == "adaptive"].set_index(["claim", "score"]).published_difference
    assert own[("soft_over_hard", "f_score")] == pytest.approx(0.4982 - 0.4602)
    assert own[("soft_over_hard", "error_rate")] == pytest.approx(0.691 - 0.724)
    assert own[("soft_over_crnn", "f_score")] == pytest.approx(0.4982 - 0.4217)
    assert own[("hard_over_crnn", "error_rate")] == pytest.approx(0.724 - 0.756)
    assert own[("heavy_under_crnn", "f_score")] == pytest.approx(0.4217 - 0.2926)


def test_scores_the_other_way_round_reproduce_none():
    turned = {each: 0.8 - mean for each, mean in PAPER.items()}
    verdicts, _ = verdicts_of(turned)
    spread = verdicts.pop("soft_spreads_less")
    assert all(found == [NOT_REPRODUCED] * 2 for found in verdicts.values()), verdicts
    assert spread == [REPRODUCED, REPRODUCED], "a range does not turn"


def test_equal_methods_and_few_pairs_cannot_be_told():
    equal, table = verdicts_of(dict.fromkeys(PAPER, 0.4), noise=0.0)
    assert all(found == [UNTOLD, UNTOLD] for found in equal.values())
    few, table = verdicts_of(PAPER, places=PLACES[:5])
    assert all(found == [UNTOLD, UNTOLD] for found in few.values())
    assert table.reason.str.contains("5 pairs are too few").all()


def test_a_weight_that_is_not_configured_is_named():
    means = {each: mean for each, mean in PAPER.items() if each != LIGHT}
    verdicts, table = verdicts_of(means)
    assert verdicts["soft_over_hard"] == [UNTOLD, UNTOLD]
    assert verdicts["soft_over_crnn"] == [REPRODUCED, REPRODUCED]
    rows = table[table.claim == "soft_over_hard"]
    assert (rows.reason == "the configuration lacks MTL, alpha = 0.0001").all()
    assert rows.difference.isna().all()
    assert (rows.pairs == 0).all()
    spread = table[table.claim == "soft_spreads_less"]
    assert spread.reason.str.contains("two weights that alpha and beta").all()


def test_a_control_is_never_taken_for_the_papers_method():
    means = {CRNN: 0.42, LIGHT: 0.46, SHUFFLED: 0.60}
    verdicts, table = verdicts_of(means)
    assert verdicts["soft_over_crnn"] == [UNTOLD, UNTOLD]
    assert table[table.claim == "soft_over_crnn"].difference.isna().all()


def test_a_method_of_ones_own_is_never_taken_for_the_papers_method():
    """It has a published weight, stands behind the library's, and would turn each claim round."""
    turned = {FOCAL: 0.9, OWN_BASELINE: 0.9, **PAPER, OWN_SOFT: 0.0}
    verdicts, table = verdicts_of(turned, [*PAPER, FOCAL, OWN_BASELINE, OWN_SOFT])
    assert all(found == [REPRODUCED, REPRODUCED] for found in verdicts.values()), verdicts
    pd.testing.assert_frame_equal(
        table.filter(["claim", "comparison", "pairs", "verdict"]),
        verdicts_of(PAPER)[1].filter(["claim", "comparison", "pairs", "verdict"]),
    )
    spread = table[(table.claim == "soft_spreads_less") & (table.score == "f_score")]
    assert spread.difference.tolist() == pytest.approx([0.03 - 0.17] * 2, abs=0.005)
    own = {FOCAL: 0.46, OWN_BASELINE: 0.42, OWN_SOFT: 0.5}
    verdicts, table = verdicts_of(own)
    assert all(found == [UNTOLD, UNTOLD] for found in verdicts.values())
    assert table.reason.str.contains("the configuration lacks").all()


def test_a_method_of_ones_own_stands_for_no_method():
    own = [FOCAL, OWN_BASELINE, OWN_SOFT, OWN_CONTROL]
    assert list(choose(own, PUBLISHED)) == []
    assert choose([*own, CRNN, LIGHT, SOFT], PUBLISHED) == Chosen(CRNN, LIGHT, None, SOFT)


def test_a_method_with_code_is_ones_own_and_compared_with_the_baseline():
    methods = {
        "crnn": {"name": "CNN-BiGRU", "scene_loss": "none"},
        "focal": {"name": "Focal", "scene_loss": "hard", "code": "methods/focal.py"},
    }
    contenders = contenders_of([vars(CRNN.kind), vars(FOCAL.kind)], methods)
    assert contenders == [CRNN, FOCAL]
    assert pairs_of(contenders, choose(contenders, PUBLISHED)) == [(FOCAL, CRNN)]


def test_folds_that_contradict_each_other_are_said_to():
    """Soft labels gain 0.2 in one fold and nothing elsewhere: pairs tell it, folds do not."""
    scores = settings({SOFT: 0.45, CRNN: 0.42}, noise=0.001)
    scores.loc[(scores.method == "Soft") & (scores.fold == 1), "f_score"] += 0.2
    table = judge_claims(scores, [CRNN, SOFT], PUBLISHED)
    row = table[(table.claim == "soft_over_crnn") & (table.score == "f_score")].iloc[0]
    assert row.verdict == REPRODUCED
    assert "other recordings may differ" in row.reason


@pytest.mark.parametrize(
    ("gain", "control", "rest", "expected"),
    [
        (1, 1, 0, EXPLAINS_SOME),
        (1, 1, -1, EXPLAINS),
        (1, 1, 1, EXPLAINS_PART),
        (1, 0, 1, EXPLAINS_NOT),
        (1, -1, 1, EXPLAINS_NOT),
        (1, 0, 0, UNTOLD),
        (1, -1, 0, EXPLAINS_NOT),
        (0, 1, 0, UNTOLD),
        (-1, 1, 1, UNTOLD),
    ],
)
def test_a_control_explains_what_it_gains_too(gain, control, rest, expected):
    assert judge_control(gain, control, rest) == expected


@pytest.mark.parametrize(
    ("mean", "expected", "words"),
    [
        (0.50, EXPLAINS_SOME, "explains the gain or a part of it: it gains .* not seen to gain"),
        (0.53, EXPLAINS, "explains the gain: it gains .* is better than the teacher's"),
        (0.48, EXPLAINS_PART, "explains a part"),
        (0.44, EXPLAINS_NOT, "does not explain the gain"),
    ],
)
def test_controls_are_judged_from_scores_for_better_or_worse(mean, expected, words):
    """The error rate falls where the F-score rises, and must be read the other way round."""
    scores = scores_of({CRNN: 0.42, LIGHT: 0.46, SOFT: 0.50, SHUFFLED: mean}, noise=0.004)
    if (
        expected == EXPLAINS_SOME
    ):  # as good as soft labels to the last bit: nothing can be told apart
        for score in ("f_score", "error_rate"):
            own = scores.loc[scores.method == "Soft", score].to_numpy()
            scores.loc[scores.method == "Shuffled", score] = own
    found = explain_gain(scores, Chosen(CRNN, LIGHT, None, SOFT, (SHUFFLED,)))
    assert list(found.score) == ["f_score", "error_rate"]
    assert list(found.verdict) == [expected, expected]
    assert found.sentence.str.contains(words).all()
    own = found.set_index("score").loc["f_score"]
    assert own.control_hard == pytest.approx(mean - 0.46, abs=0.005)
    assert own.soft_control == pytest.approx(0.50 - mean, abs=0.005)
    assert own.control_baseline == pytest.approx(mean - 0.42, abs=0.005)
    assert own.gain == pytest.approx(0.04, abs=0.005)
    assert own.gain_pairs == 12
    assert found.share.tolist() == pytest.approx([(mean - 0.46) / 0.04] * 2, abs=0.12)
    paired = compare(scores, SHUFFLED, LIGHT, "f_score")
    assert (own.control_hard_fold_low, own.control_hard_fold_high) == pytest.approx(
        (paired.fold_low, paired.fold_high)
    )


def added(scores, contender, noise):
    """Scores with noise added to a contender's, in both scores the same."""
    rows = scores.method == contender.name
    scores.loc[rows, "f_score"] += noise
    scores.loc[rows, "error_rate"] -= noise
    return scores


def explained(scores):
    """Verdict and sentence of the F-score; the error rate is 1 less it and must say the same."""
    f_score, error_rate = explain_gain(
        scores, Chosen(CRNN, LIGHT, None, SOFT, (SHUFFLED,))
    ).itertuples()
    assert (f_score.verdict, f_score.sentence) == (error_rate.verdict, error_rate.sentence)
    return f_score.verdict, f_score.sentence.removeprefix("Shuffled, beta = 1, T = 1")


MEANS = {CRNN: 0.42, LIGHT: 0.46, SOFT: 0.50, SHUFFLED: 0.46}


def test_a_noisy_control_with_a_third_of_the_gain_is_not_said_to_explain_it_all():
    """Soft labels vary as much as what they gain: that they gain more than it is not seen."""
    scores = scores_of({**MEANS, SHUFFLED: 0.47333}, noise=0.0)
    noise = np.array([3.0, 3.0, -2.0] * 4) * 0.025
    scores = added(scores, SOFT, noise - noise.mean())
    scores = added(scores, SHUFFLED, -0.001 * np.sign(noise))
    verdict, sentence = explained(scores)
    assert verdict == EXPLAINS_SOME
    assert "(32% of the gain)" in sentence or "(33% of the gain)" in sentence
    assert "are not seen to gain more (the interval holds zero)" in sentence


def test_why_there_is_no_gain_to_explain_is_said():
    start = ": cannot be told, as no gain of soft labels over one-hot scenes is seen: "
    verdict, sentence = explained(scores_of(MEANS, places=PLACES[:3]))
    assert verdict == UNTOLD
    assert sentence == start + "3 pairs are too few for an interval of 95%, which needs 6."
    noise = np.array([0.2, -0.2] * 6)
    assert explained(added(scores_of(MEANS), SOFT, noise))[1] == start + "the interval holds zero."
    assert explained(scores_of({**MEANS, SOFT: 0.44}))[1] == (
        ": cannot be told, as soft labels are worse than one-hot scenes here."
    )


def test_a_control_that_is_worse_than_one_hot_scenes_does_not_explain_their_gain():
    """It has six pairs of the twelve, the least that tell."""
    scores = added(scores_of(MEANS), SHUFFLED, -0.02)
    lacking = (scores.method == "Shuffled") & ~scores.fold.isin([1, 2])
    verdict, sentence = explained(scores[~lacking])
    assert verdict == EXPLAINS_NOT
    assert sentence.startswith(" does not explain the gain: it is worse than one-hot scenes; so it")


def test_what_differs_from_neither_says_why():
    scores = added(scores_of(MEANS), SHUFFLED, np.array([0.2, -0.2] * 6))
    verdict, sentence = explained(scores)
    assert verdict == UNTOLD
    assert sentence == (
        ": cannot be told, as it differs for sure neither from one-hot scenes (the interval holds "
        "zero) nor from the teacher's soft labels (the interval holds zero)."
    )


def test_folds_that_contradict_each_other_are_said_of_controls_too():
    assert "; so it does with folds as the unit" in explained(scores_of(MEANS))[1]
    scores = scores_of(MEANS, noise=0.001)
    scores.loc[(scores.method == "Soft") & (scores.fold == 1), "f_score"] += 0.3
    scores.loc[(scores.method == "Soft") & (scores.fold == 1), "error_rate"] -= 0.3
    verdict, sentence = explained(scores)
    assert verdict == EXPLAINS_NOT
    assert sentence.endswith(
        "; with folds as the unit it cannot be told: other recordings may differ."
    )


def test_without_controls_nothing_is_said_of_them():
    scores = scores_of({CRNN: 0.42, LIGHT: 0.46, SOFT: 0.50})
    assert explain_gain(scores, Chosen(CRNN, LIGHT, None, SOFT)).empty
    assert explain_gain(scores, Chosen(CRNN, None, None, SOFT, (SHUFFLED,))).empty


def test_the_published_weights_stand_for_their_methods():
    chosen = choose([CRNN, HEAVY, LIGHT, SOFT5, FAINT, SOFT, SHUFFLED], PUBLISHED)
    assert chosen == Chosen(CRNN, LIGHT, HEAVY, SOFT, (SHUFFLED,))
    assert list(chosen) == [CRNN, LIGHT, HEAVY, SHUFFLED, SOFT]


def test_without_published_weights_the_first_configured_stand_for_their_methods():
    methods = {
        "crnn": {"name": "CNN-BiGRU", "scene_loss": "none"},
        "mtl": {"name": "MTL", "scene_loss": "hard"},
        "soft": {"name": "Soft", "scene_loss": "soft"},
        "even": {"name": "Even", "scene_loss": "soft", "labels": "smoothed"},
    }
    none = {"alpha": "none", "beta": "none", "temperature": "none"}
    kinds = [
        {**none, "method": "mtl", "alpha": "0.01"},
        {**none, "method": "mtl", "alpha": "0.5"},
        {**none, "method": "soft", "beta": "0.5", "temperature": "2.0"},
        {**none, "method": "soft", "beta": "0.5", "temperature": "5.0"},
        {**none, "method": "even", "beta": "0.1", "temperature": "2.0"},
        {**none, "method": "even", "beta": "0.5", "temperature": "2.0"},
    ]
    chosen = choose(contenders_of(kinds, methods), PUBLISHED)
    assert (chosen.baseline, chosen.heavy) == (None, None)
    assert [each.title for each in chosen] == [
        "MTL, alpha = 0.01",
        "Even, beta = 0.5, T = 2",
        "Soft, beta = 0.5, T = 2",
    ]
    assert chosen.soft.row == ("Soft", None, 0.5, 2.0)
    (control,) = chosen.controls
    assert control.is_control
    assert control.labels == "smoothed"


def test_nothing_configured_is_nobody():
    assert list(choose([], PUBLISHED)) == []
    assert np.isnan(judge_claims(settings({CRNN: 0.4}), [CRNN], PUBLISHED).difference).all()
