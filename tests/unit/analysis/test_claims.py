"""Verdicts: on known scores, and what stands in for what is not configured."""

import numpy as np
import pandas as pd
import pytest
from softscene.analysis.claims import (
    EXPLAINS,
    EXPLAINS_NOT,
    EXPLAINS_PART,
    EXPLAINS_SOME,
    INCONCLUSIVE,
    LABELS,
    NOT_REPRODUCED,
    REPRODUCED,
    claimed_side,
    explain_gain,
    joint,
    judge,
    judge_claims,
    judge_control,
)
from softscene.analysis.comparisons import pairs_of
from softscene.analysis.intervals import Estimate, compare
from softscene.config.variants import (
    HARD_WEIGHTS,
    HEAVY_WEIGHTS,
    SOFT_WEIGHTS,
    Chosen,
    Variant,
    choose_variants,
    variants_of,
)

from tests.conftest import ROOT
from tests.unit.analysis.comparable import (
    CRNN,
    FAINT,
    FOCAL,
    HEAVY,
    LIGHT,
    PLACES,
    SHUFFLED,
    SOFT,
    SOFT5,
    events_of,
    scores_of,
)

PUBLISHED = {name: ROOT / "resources" / f"published_{name}.csv" for name in ("table3", "table4")}
PAPER = {CRNN: 0.42, LIGHT: 0.46, HEAVY: 0.29, SOFT: 0.50, FAINT: 0.47}
NO = float("nan")
WEIGHTS = {"beta": "1.0", "temperature": "1.0"}
OWN_BASELINE = Variant("wide", "Wide", "none", custom=True)
OWN_SOFT = Variant("mine", "Mine", "soft", **WEIGHTS, custom=True)
OWN_CONTROL = Variant("noise", "Noise", "soft", **WEIGHTS, labels="shuffled", custom=True)


@pytest.mark.parametrize(
    ("low", "high", "wanted", "expected"),
    [
        (0.01, 0.03, 1, REPRODUCED),
        (0.01, 0.03, -1, NOT_REPRODUCED),
        (-0.03, -0.01, -1, REPRODUCED),
        (-0.03, -0.01, 1, NOT_REPRODUCED),
        (-0.01, 0.03, 1, INCONCLUSIVE),
        (0.0, 0.03, 1, INCONCLUSIVE),
        (NO, NO, 1, INCONCLUSIVE),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(low, high, wanted, expected):
    assert judge(Estimate(0.02, low, high, NO, NO, 12, 4), wanted) == expected
    assert judge(Estimate(0.02, low, high, -9, 9, 4, 3), wanted) == expected, "any second seed"
    assert judge(Estimate(0.02, NO, NO, low, high, 4, 4), wanted) == expected, "none: the folds"
    assert judge(Estimate(0.02, NO, NO, low, high, 12, 4), wanted) == INCONCLUSIVE


def test_what_was_not_run_is_inconclusive():
    assert judge(None, 1) == INCONCLUSIVE


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([NOT_REPRODUCED, NOT_REPRODUCED], NOT_REPRODUCED),
        ([REPRODUCED, INCONCLUSIVE], INCONCLUSIVE),
        ([REPRODUCED, NOT_REPRODUCED], INCONCLUSIVE),
    ],
)
def test_a_claim_has_a_verdict_where_its_scores_agree(verdicts, expected):
    assert joint(verdicts) == expected


def both(make, means, **options):
    """The same scores with adaptive and oracle thresholds."""
    return pd.concat(
        [make(means, threshold=mode, **options) for mode in ("adaptive", "oracle")],
        ignore_index=True,
    )


def settings(means, **options):
    return both(scores_of, means, **options)


def as_published():
    """Student -> event -> its F-score and error rate in the published Table 4."""
    table = pd.read_csv(PUBLISHED["table4"])
    found = {}
    for variant in (CRNN, LIGHT, HEAVY, SOFT):
        weights = variant.weights
        rows = table
        for key in ("alpha", "beta", "temperature"):
            rows = rows[rows[key].eq(weights[key]) if key in weights else rows[key].isna()]
        assert len(rows) == 25
        found[variant] = {
            row.event: (row.f_score_percent / 100, row.error_rate) for row in rows.itertuples()
        }
    return found


def verdicts_of(means, variants=None, events=None, event_options=None, **options):
    scores = both(events_of, events or as_published(), **(event_options or {"noise": 2e-4}))
    overall = settings(means, **options)
    table = judge_claims(overall, scores, variants or list(means), PUBLISHED)
    own = table[table.threshold == "adaptive"]
    return {key: list(rows.verdict) for key, rows in own.groupby("claim")}, table


TABLE3 = ["soft_over_hard", "hard_over_crnn"]
GAINS = [f"soft_gains_{event}" for event in ("dishes", "fan", "people_walking")]
NO_GAINS = [f"no_gain_{event}" for event in ("snapping", "breathing", "wind_blowing")]
READINGS = ["soft_over_crnn", "heavy_under_crnn", "soft_over_heavy"]
ALL = [*TABLE3, "trend_of_alpha", "many_events", *GAINS, *NO_GAINS, *READINGS]


def test_scores_as_published_reproduce_every_claim():
    verdicts, table = verdicts_of(PAPER)
    assert list(dict.fromkeys(table.claim)) == ALL
    f_alone = {*GAINS, *NO_GAINS, "trend_of_alpha"}
    for claim, found in verdicts.items():
        assert found == [REPRODUCED] * (1 if claim in f_alone else 2), claim
    assert set(table.claim[table.origin == "our reading"]) == set(READINGS)
    own = table[(table.threshold == "oracle") & (table.score == "f_score")].set_index("claim")
    assert own.difference.soft_over_hard == pytest.approx(0.04, abs=0.003)
    assert own.difference.heavy_under_crnn == pytest.approx(0.13, abs=0.003)
    assert own.difference.soft_over_heavy == pytest.approx(0.21, abs=0.003)
    assert own.difference.trend_of_alpha == pytest.approx((0.29 - 0.46) / 4, abs=0.001)
    units = own.unit.to_dict()
    assert units.pop("trend_of_alpha") == "score per decade"
    assert units.pop("many_events") == "events"
    assert set(units.values()) == {"score"}


def test_every_claim_has_a_label_and_a_side():
    """The side is that on which the paper has its own difference, where it has one."""
    _, table = verdicts_of(PAPER)
    assert set(LABELS) == set(table.claim)
    assert len(set(LABELS.values())) == len(LABELS)
    gains = table[(table.published_difference != 0) & ~table.claim.isin(NO_GAINS)]
    for row in gains.itertuples():
        assert claimed_side(row.claim, row.score) == np.sign(row.published_difference), row.claim
    assert {claimed_side(claim, "f_score") for claim in NO_GAINS} == {-1}


def test_published_differences_are_those_of_the_paper():
    """As section 4 and its tables have them."""
    _, table = verdicts_of(PAPER)
    own = table[table.threshold == "adaptive"].set_index(["claim", "score"]).published_difference
    expected = {
        ("soft_over_hard", "f_score"): 0.0380,
        ("soft_over_hard", "error_rate"): 0.691 - 0.724,
        ("soft_over_crnn", "f_score"): 0.4982 - 0.4217,
        ("hard_over_crnn", "f_score"): 0.4602 - 0.4217,
        ("hard_over_crnn", "error_rate"): 0.724 - 0.756,
        ("heavy_under_crnn", "f_score"): 0.4217 - 0.2926,
        ("soft_over_heavy", "f_score"): 0.4982 - 0.2926,
        ("soft_over_heavy", "error_rate"): 0.691 - 0.837,
        ("trend_of_alpha", "f_score"): (0.2926 - 0.4602) / 4,
        ("soft_gains_dishes", "f_score"): 0.1028,
        ("soft_gains_fan", "f_score"): 0.1405,
        ("soft_gains_people_walking", "f_score"): 0.0010,
        ("no_gain_snapping", "f_score"): -0.0008,
        ("no_gain_breathing", "f_score"): 0.0,
        ("no_gain_wind_blowing", "f_score"): 0.0,
        # Best F-scores: 7 of soft labels, 7, 4 and 1 of the others; error rates: 9, 3, 2 and 1,
        # less those of methods that never detect the event.
        ("many_events", "f_score"): 7 - (7 + 4 + 1) / 3,
    }
    for place, value in expected.items():
        assert own[place] == pytest.approx(value, abs=1e-9), place
    assert own["many_events", "error_rate"] == pytest.approx(lead_by_hand(as_published()))


def lead_by_hand(tables):
    """Events at which the last has the lowest error rate, less the mean of the others, in loops."""
    wins = [0] * len(tables)
    scores = list(tables.values())
    for event in scores[0]:
        rates = [round(each[event][1], 4) for each in scores]
        if min(rates) == max(rates):
            continue
        for i, each in enumerate(scores):
            wins[i] += rates[i] == min(rates) and each[event][0] > 0
    return wins[-1] - sum(wins[:-1]) / (len(wins) - 1)


def test_scores_the_other_way_round_reproduce_none():
    turned = {each: 0.8 - mean for each, mean in PAPER.items()}
    events = {
        each: {event: (0.8 - f, 0.3 - rate) for event, (f, rate) in table.items()}
        for each, table in as_published().items()
    }
    events[SOFT] |= {event: (0.81, 0.1) for event in ("(object) snapping", "breathing",
                                                     "wind blowing")}  # fmt: skip
    verdicts, _ = verdicts_of(turned, events=events)
    assert verdicts.pop("many_events")[0] == NOT_REPRODUCED, "equal error rates do not turn"
    assert all(set(found) == {NOT_REPRODUCED} for found in verdicts.values()), verdicts


def test_equal_methods_are_inconclusive():
    equal = {each: dict.fromkeys(as_published()[SOFT], (0.4, 0.01)) for each in as_published()}
    verdicts, table = verdicts_of(dict.fromkeys(PAPER, 0.4), noise=0.0, events=equal)
    assert all(set(found) == {INCONCLUSIVE} for found in verdicts.values()), verdicts
    reason = table.set_index("claim").reason["soft_over_hard"].iloc[0]
    assert reason == ("in each fold all differences are equal, so there is no interval")


@pytest.mark.parametrize("places", [PLACES[:2], PLACES[:5], PLACES[:6], PLACES[::3]])
def test_few_pairs_tell_what_their_interval_tells(places):
    """Two seeds, five, six; or one seed in each of four folds, of which the folds decide."""
    options = {"places": places, "noise": 1e-6}
    verdicts, table = verdicts_of(PAPER, places=places, event_options=options)
    assert verdicts["soft_over_crnn"] == [REPRODUCED, REPRODUCED]
    assert verdicts["soft_gains_fan"] == [REPRODUCED]
    row = table[(table.claim == "soft_over_crnn") & (table.score == "f_score")].iloc[0]
    assert (row.pairs, np.isnan(row.low)) == (len(places), places == PLACES[::3])
    if places == PLACES[::3]:
        assert row.reason == (
            "the interval over folds (one seed in each) lies on the claimed side of zero"
        )


def test_one_pair_tells_nothing():
    options = {"places": PLACES[:1], "noise": 1e-6}
    verdicts, table = verdicts_of(PAPER, places=PLACES[:1], event_options=options)
    assert all(set(found) == {INCONCLUSIVE} for found in verdicts.values()), verdicts
    reasons = table.reason.str.split(". In the means").str[0]
    assert (reasons == "there is one pair, and so no interval").all()


def test_the_trend_is_the_slope_over_the_decades_of_alpha():
    """A line of -0.02 a decade with a bend that least squares sees through; alpha = 0 has none."""
    alphas = ["0.0", "0.0001", "0.001", "0.01", "0.1", "1.0"]
    students = {alpha: Variant("mtl", "MTL", "hard", alpha=alpha) for alpha in alphas}
    bend = {"0.0": 9.0, "0.0001": 0.01, "0.001": -0.01, "0.01": 0.0, "0.1": -0.01, "1.0": 0.01}
    means = {
        each: 0.46 + bend[alpha] - (0.02 * (np.log10(float(alpha)) + 4) if float(alpha) else 0)
        for alpha, each in students.items()
    }
    _, table = verdicts_of({CRNN: 0.42, **means}, noise=0.0)
    row = table[table.claim == "trend_of_alpha"].iloc[0]
    expected = np.polyfit([-4, -3, -2, -1, 0], [means[students[a]] for a in alphas[1:]], 1)[0]
    assert row.difference == pytest.approx(expected)
    assert row.comparison == "slope of MTL over alpha = 0.0001, 0.001, 0.01, 0.1, 1"
    means = {each: mean for each, mean in means.items() if each.alpha in ("0.0", "0.01")}
    _, table = verdicts_of({CRNN: 0.42, **means})
    row = table[table.claim == "trend_of_alpha"].iloc[0]
    assert (row.verdict, row.reason) == (
        INCONCLUSIVE, "the configuration lacks two values of alpha above 0"
    )  # fmt: skip


def test_a_trend_that_seeds_contradict_is_inconclusive():
    scores = settings(PAPER)
    heavy = scores.alpha == 1
    scores.loc[heavy, "f_score"] += np.tile([0.4, -0.1, 0.2], 4 * 2)
    table = judge_claims(scores, both(events_of, as_published()), list(PAPER), PUBLISHED)
    row = table[table.claim == "trend_of_alpha"].iloc[0]
    assert (row.verdict, row.reason) == (INCONCLUSIVE, "the interval includes zero")


def test_how_many_events_soft_labels_are_best_at_is_told_of_the_means_too():
    _, table = verdicts_of(PAPER)
    row = table[(table.claim == "many_events") & (table.score == "f_score")].iloc[0]
    assert row.reason.endswith(
        "In the means of Table 4 they are the best at 7 of 25 events; published: 7 of 25"
    )
    assert row.comparison == "Soft, beta = 1, T = 1 vs mean of the other three"
    assert (row.pairs, row.folds) == (12, 4)


def test_events_that_the_data_do_not_have_are_inconclusive():
    events = {
        each: {event: scores for event, scores in table.items() if event not in ("dishes", "fan")}
        for each, table in as_published().items()
    }
    verdicts, table = verdicts_of(PAPER, events=events)
    reasons = table.set_index("claim").reason
    for event in ("dishes", "fan"):
        assert verdicts[f"soft_gains_{event}"] == [INCONCLUSIVE]
        assert set(reasons[f"soft_gains_{event}"]) == {f"there is no event {event} in these data"}
    assert verdicts["soft_gains_people_walking"] == [REPRODUCED]
    assert verdicts["many_events"] == [REPRODUCED, REPRODUCED]


def test_an_event_that_occurs_in_no_evaluation_part_is_inconclusive():
    """Its F-score is 0 in all methods, which would be the claim. In some folds alone, it counts."""
    for folds, expected in (([1, 2, 3, 4], INCONCLUSIVE), ([1, 2], REPRODUCED)):
        absent = [(fold, "wind blowing") for fold in folds]
        verdicts, table = verdicts_of(PAPER, event_options={"noise": 1e-6, "absent": absent})
        assert verdicts["no_gain_wind_blowing"] == [expected]
        row = table[table.claim == "no_gain_wind_blowing"].iloc[0]
        assert ("occurs in no evaluation part" in row.reason) == (expected == INCONCLUSIVE)


@pytest.mark.parametrize(
    ("soft", "hard", "expected", "words"),
    [
        (0.0, 0.0, REPRODUCED, "no method detects it: mean F-score below 0.1% in all 4"),
        (0.0, 0.0008, REPRODUCED, "no method detects it: mean F-score below 0.1% in all 4"),
        (0.0, 0.2, REPRODUCED, "the interval lies on the claimed side of zero"),
        (0.2, 0.1, NOT_REPRODUCED, "the interval lies on the other side of zero"),
        (0.1, 0.1, INCONCLUSIVE, "the interval includes zero"),
    ],
)
def test_an_event_does_not_improve_where_it_is_not_detected_or_gets_worse(
    soft, hard, expected, words
):
    events = as_published()
    events[SOFT]["breathing"], events[LIGHT]["breathing"] = (soft, 0.002), (hard, 0.002)
    verdicts, table = verdicts_of(PAPER, events=events, event_options={"noise": 1e-5})
    assert verdicts["no_gain_breathing"] == [expected]
    row = table[table.claim == "no_gain_breathing"].iloc[0]
    assert row.reason.startswith(words)
    assert row.difference == pytest.approx(soft - hard, abs=1e-4)


def test_a_weight_that_is_not_configured_is_named():
    means = {each: mean for each, mean in PAPER.items() if each != LIGHT}
    verdicts, table = verdicts_of(means)
    assert verdicts["soft_over_hard"] == [INCONCLUSIVE, INCONCLUSIVE]
    assert verdicts["soft_over_crnn"] == [REPRODUCED, REPRODUCED]
    assert verdicts["soft_gains_dishes"] == [INCONCLUSIVE]
    for claim in ("soft_over_hard", "soft_gains_dishes", "many_events"):
        rows = table[table.claim == claim]
        assert (rows.reason == "the configuration lacks MTL, alpha = 0.0001").all(), claim
        assert rows.difference.isna().all()
        assert (rows.pairs == 0).all()


def test_a_control_is_never_taken_for_the_papers_method():
    means = {CRNN: 0.42, LIGHT: 0.46, SHUFFLED: 0.60}
    verdicts, table = verdicts_of(means)
    assert verdicts["soft_over_crnn"] == [INCONCLUSIVE, INCONCLUSIVE]
    assert table[table.claim == "soft_over_crnn"].difference.isna().all()


def test_a_method_of_ones_own_is_never_taken_for_the_papers_method():
    """It has a published weight, stands behind the library's, and would turn each claim round."""
    turned = {FOCAL: 0.9, OWN_BASELINE: 0.9, **PAPER, OWN_SOFT: 0.0}
    verdicts, table = verdicts_of(turned, [*PAPER, FOCAL, OWN_BASELINE, OWN_SOFT])
    assert all(set(found) == {REPRODUCED} for found in verdicts.values()), verdicts
    pd.testing.assert_frame_equal(
        table.filter(["claim", "comparison", "pairs", "verdict"]),
        verdicts_of(PAPER)[1].filter(["claim", "comparison", "pairs", "verdict"]),
    )
    own = {FOCAL: 0.46, OWN_BASELINE: 0.42, OWN_SOFT: 0.5}
    verdicts, table = verdicts_of(own)
    assert all(set(found) == {INCONCLUSIVE} for found in verdicts.values())
    assert table.reason.str.contains("the configuration lacks").all()


def test_a_method_of_ones_own_stands_for_no_method():
    own = [FOCAL, OWN_BASELINE, OWN_SOFT, OWN_CONTROL]
    assert list(choose_variants(own)) == []
    assert choose_variants([*own, CRNN, LIGHT, SOFT]) == Chosen(CRNN, LIGHT, None, SOFT)


def test_ones_own_methods_are_compared_with_those_of_the_paper_and_no_control():
    contenders = [CRNN, LIGHT, HEAVY, SOFT, SOFT5, SHUFFLED, FOCAL, OWN_SOFT]
    pairs = pairs_of(contenders, choose_variants(contenders))
    assert len(pairs) == len(set(pairs))
    for mine in (FOCAL, OWN_SOFT):
        others = [other for one, other in pairs if one == mine]
        assert others == [CRNN, LIGHT, HEAVY, SOFT]
        assert mine not in [other for _, other in pairs]


def test_a_method_with_code_is_ones_own_and_compared_with_the_baseline():
    methods = {
        "crnn": {"name": "CNN-BiGRU", "scene_loss": "none"},
        "focal": {"name": "Focal", "scene_loss": "hard", "alpha": [0.0001],
                  "code": "methods/focal.py"},
    }  # fmt: skip
    variants = variants_of(methods)
    assert variants == [CRNN, FOCAL]
    assert pairs_of(variants, choose_variants(variants)) == [(FOCAL, CRNN)]


def test_folds_that_contradict_each_other_are_said_to():
    """Soft labels gain 0.2 in one fold and nothing elsewhere: pairs tell it, folds do not."""
    scores = settings({SOFT: 0.45, CRNN: 0.42}, noise=0.001)
    scores.loc[(scores.method == "Soft") & (scores.fold == 1), "f_score"] += 0.2
    table = judge_claims(scores, both(events_of, as_published()), [CRNN, SOFT], PUBLISHED)
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
        (1, 0, 0, INCONCLUSIVE),
        (1, -1, 0, EXPLAINS_NOT),
        (0, 1, 0, INCONCLUSIVE),
        (-1, 1, 1, INCONCLUSIVE),
    ],
)
def test_a_control_explains_what_it_gains_too(gain, control, rest, expected):
    assert judge_control(gain, control, rest) == expected


@pytest.mark.parametrize(
    ("mean", "expected", "words"),
    [
        (0.50, EXPLAINS_SOME, "explains the gain or a part of it: it gains .* not clearly gain"),
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


def added(scores, variant, noise):
    """Scores with noise added to a variant's, in both scores the same."""
    rows = scores.method == variant.name
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
    noise = np.array([3.0, 3.0, -2.0] * 4) * 0.02
    scores = added(scores, SOFT, noise - noise.mean())
    scores = added(scores, SHUFFLED, -0.001 * np.sign(noise))
    verdict, sentence = explained(scores)
    assert verdict == EXPLAINS_SOME
    assert "(32% of the gain)" in sentence or "(33% of the gain)" in sentence
    assert "do not clearly gain more (the interval includes zero)" in sentence


def test_why_there_is_no_gain_to_explain_is_said():
    start = ": inconclusive, as soft labels show no clear gain over one-hot scenes: "
    verdict, sentence = explained(scores_of(MEANS, places=PLACES[:1]))
    assert verdict == INCONCLUSIVE
    assert sentence == start + "there is one pair, and so no interval."
    verdict, sentence = explained(scores_of(MEANS, places=PLACES[::3], noise=0.1))
    assert verdict == INCONCLUSIVE
    assert sentence == (start + "the interval over folds (one seed in each) includes zero.")
    noise = np.array([0.2, -0.2] * 6)
    assert (
        explained(added(scores_of(MEANS), SOFT, noise))[1] == start + "the interval includes zero."
    )
    assert explained(scores_of({**MEANS, SOFT: 0.44}))[1] == (
        ": inconclusive, as soft labels are worse than one-hot scenes here."
    )


def test_a_control_that_is_worse_than_one_hot_scenes_does_not_explain_their_gain():
    """It has six pairs of the twelve."""
    scores = added(scores_of(MEANS), SHUFFLED, -0.02)
    lacking = (scores.method == "Shuffled") & ~scores.fold.isin([1, 2])
    verdict, sentence = explained(scores[~lacking])
    assert verdict == EXPLAINS_NOT
    assert sentence.startswith(" does not explain the gain: it is worse than one-hot scenes; also")


def test_what_differs_from_neither_says_why():
    scores = added(scores_of(MEANS), SHUFFLED, np.array([0.2, -0.2] * 6))
    verdict, sentence = explained(scores)
    assert verdict == INCONCLUSIVE
    assert sentence == (
        ": inconclusive, as it does not clearly differ from one-hot scenes (the interval includes "
        "zero) or from the teacher's soft labels (the interval includes zero)."
    )


def test_folds_that_contradict_each_other_are_said_of_controls_too():
    assert "; also with folds as the unit" in explained(scores_of(MEANS))[1]
    scores = scores_of(MEANS, noise=0.001)
    scores.loc[(scores.method == "Soft") & (scores.fold == 1), "f_score"] += 0.3
    scores.loc[(scores.method == "Soft") & (scores.fold == 1), "error_rate"] -= 0.3
    verdict, sentence = explained(scores)
    assert verdict == EXPLAINS_NOT
    assert sentence.endswith(
        "; with folds as the unit it is inconclusive: other recordings may differ."
    )


def test_without_controls_nothing_is_said_of_them():
    scores = scores_of({CRNN: 0.42, LIGHT: 0.46, SOFT: 0.50})
    assert explain_gain(scores, Chosen(CRNN, LIGHT, None, SOFT)).empty
    assert explain_gain(scores, Chosen(CRNN, None, None, SOFT, (SHUFFLED,))).empty


def test_the_weights_of_the_claims_are_those_of_table_3():
    paper = pd.read_csv(PUBLISHED["table3"])
    hard = paper[paper.alpha.notna()].sort_values("f_score_percent").alpha
    assert (HARD_WEIGHTS["alpha"], HEAVY_WEIGHTS["alpha"]) == (hard.iloc[-1], hard.iloc[0])
    soft = paper[paper.beta.notna()].squeeze()
    assert {"beta": soft.beta, "temperature": soft.temperature} == SOFT_WEIGHTS


def test_the_published_weights_stand_for_their_methods():
    chosen = choose_variants([CRNN, HEAVY, LIGHT, SOFT5, FAINT, SOFT, SHUFFLED])
    assert chosen == Chosen(CRNN, LIGHT, HEAVY, SOFT, (SHUFFLED,))
    assert list(chosen) == [CRNN, LIGHT, HEAVY, SHUFFLED, SOFT]


def test_without_published_weights_the_first_configured_stand_for_their_methods():
    methods = {
        "mtl": {"name": "MTL", "scene_loss": "hard", "alpha": [0.01, 0.5]},
        "soft": {"name": "Soft", "scene_loss": "soft", "beta": [0.5], "temperature": [2.0, 5.0]},
        "even": {"name": "Even", "scene_loss": "soft", "labels": "smoothed", "beta": [0.1, 0.5],
                 "temperature": [2.0]},
    }  # fmt: skip
    chosen = choose_variants(variants_of(methods))
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
    assert list(choose_variants([])) == []
    _, table = verdicts_of({CRNN: 0.4})
    assert np.isnan(table.difference).all()
