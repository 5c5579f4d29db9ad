"""Choices that the paper leaves open: the students that show what each does to its main claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from softscene.config.controls import CONTROLS
from softscene.config.variants import SYMBOLS, TEACHER, Chosen, Variant

CONFIGURED = "as configured"  # what differs between a run's claim and itself


@dataclass(frozen=True)
class OpenChoice:
    """Soft labels and one-hot scenes, both under one choice.

    Attributes
    ----------
    varies
        What differs from the students that the claim is about, such as ``teacher.epochs = 10``.
    soft
        The student with soft labels.
    hard
        The one with one-hot scenes whose own settings are the same; None if none is configured.
    """

    varies: str
    soft: Variant
    hard: Variant | None


def open_choices(variants: Sequence[Variant], chosen: Chosen) -> list[OpenChoice]:
    """The claim as configured, and under each choice that other variants make.

    These have another T, labels of clips that the teacher has not seen, or overrides. Those with
    custom code are left out, and those with another beta, which the paper gives.

    Parameters
    ----------
    variants
        All that are trained.
    chosen
        Those that claims are about. Without soft labels and one-hot scenes among them there is no
        claim, and the list is empty.
    """
    usual, hard = chosen.soft, chosen.hard
    if usual is None or hard is None:
        return []
    others = [each for each in variants if each != usual and _is_choice(each, usual)]
    return [
        OpenChoice(_varies(each, usual), each, _partner(each, variants, hard))
        for each in (usual, *others)
    ]


def _is_choice(variant: Variant, usual: Variant) -> bool:
    if variant.loss != "soft" or variant.custom:
        return False
    if variant.overrides:
        return True
    seen = variant.labels == TEACHER or CONTROLS[variant.labels].held_out
    return seen and variant.weights["beta"] == usual.weights["beta"]


def _varies(variant: Variant, usual: Variant) -> str:
    weights = [
        f"{SYMBOLS[key]} = {value:g}"
        for key, value in variant.weights.items()
        if value != usual.weights[key]
    ]
    labels = [f"labels = {variant.labels}"] if variant.labels != usual.labels else []
    return ", ".join([*variant.overrides, *weights, *labels]) or CONFIGURED


def _partner(variant: Variant, variants: Sequence[Variant], hard: Variant) -> Variant | None:
    """One-hot scenes with the weight of the claim's, and with the same settings of the student."""
    if not variant.student_overrides:
        return hard
    fitting = (
        each
        for each in variants
        if (each.loss, each.custom, each.weights) == ("hard", False, hard.weights)
        and each.student_overrides == variant.student_overrides
    )
    return next(fitting, None)
