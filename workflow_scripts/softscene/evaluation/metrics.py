"""Segment-based counts and scores, as ``sed_eval`` defines them (tests/reference compares)."""

from dataclasses import dataclass

import numpy as np

FIELD_KEYS = ["metric", "average", "threshold"]  # columns that identify a score of field_metrics
THRESHOLD_FREE = ("average_precision", "psds_1", "psds_2")  # of these, metrics without thresholds


@dataclass(frozen=True)
class Counts:
    """Counts over segments; add two to pool their recordings.

    Attributes
    ----------
    true_positives, false_positives, false_negatives
        Of each event, over all segments.
    substitutions, deletions, insertions
        Over all segments: in a segment with p false positives and n false negatives, min(p, n)
        are substitutions, the others deletions or insertions.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray
    substitutions: int
    deletions: int
    insertions: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )

    @property
    def reference(self) -> np.ndarray:
        """Active reference segments of each event."""
        return self.true_positives + self.false_negatives


def count(reference: np.ndarray, estimated: np.ndarray) -> Counts:
    """Compare two activities of one recording, each segments x events, boolean."""
    misses = reference & ~estimated
    extras = estimated & ~reference
    missed, extra = misses.sum(axis=1), extras.sum(axis=1)
    substituted = np.minimum(missed, extra)
    return Counts(
        true_positives=(reference & estimated).sum(axis=0),
        false_positives=extras.sum(axis=0),
        false_negatives=misses.sum(axis=0),
        substitutions=int(substituted.sum()),
        deletions=int((missed - substituted).sum()),
        insertions=int((extra - substituted).sum()),
    )


def f_score(
    true_positives: np.ndarray, false_positives: np.ndarray, false_negatives: np.ndarray
) -> np.ndarray:
    """2 TP / (2 TP + FP + FN); NaN where there is nothing to find and nothing was found."""
    hits = 2 * np.asarray(true_positives, float)
    total = hits + false_positives + false_negatives
    return np.divide(hits, total, out=np.full_like(total, np.nan), where=total > 0)


def micro_f_score(counts: Counts) -> float:
    """F-score of the sums over all events (Table 3)."""
    sums = (counts.true_positives, counts.false_positives, counts.false_negatives)
    return float(f_score(*(np.sum(values) for values in sums)))


def micro_error_rate(counts: Counts) -> float:
    """(S + D + I) / reference segments (Table 3); NaN without any reference."""
    errors = counts.substitutions + counts.deletions + counts.insertions
    reference = counts.reference.sum()
    return errors / reference if reference else float("nan")


def event_error_rate(counts: Counts) -> np.ndarray:
    """Error rate of each event as in Table 4: insertions and deletions over the reference.

    ``sed_eval`` divides by the event's own reference instead.
    """
    reference = counts.reference.sum()
    errors = (counts.false_positives + counts.false_negatives).astype(float)
    return errors / reference if reference else np.full_like(errors, np.nan)
