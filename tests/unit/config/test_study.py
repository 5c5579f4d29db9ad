"""What is trained: the cross-validation, and apart from it the held-out test."""

from softscene.config.study import HELDOUT, Study, with_controls

from tests.conftest import PAPER


def study_of(**changes):
    config = PAPER | changes
    return Study.of(config | {"methods": with_controls(config)})


def test_the_held_out_fold_is_never_among_those_of_the_cross_validation():
    usual, both = study_of(), study_of(heldout=True)
    assert usual.runs() == both.runs()
    assert {fold for _, fold, _ in both.runs()} == {1, 2, 3, 4}
    for part in ("folds", "seeds", "variants", "chosen", "explored", "detecting", "temperatures"):
        assert getattr(usual, part) == getattr(both, part)
    assert usual.runs(folds=usual.heldout) == []


def test_the_held_out_test_trains_each_variant_with_each_seed():
    study = study_of(heldout=True, folds=[2])
    runs = study.runs(folds=study.heldout)
    assert len(runs) == 21 * 3
    assert runs == [(variant, HELDOUT, seed) for variant in study.variants for seed in (0, 1, 2)]
