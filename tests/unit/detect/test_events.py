"""Merging, shortest events and overlapping clips, against plain loops."""

import numpy as np
import pytest
from softscene.core.errors import ConfigurationError
from softscene.detect.events import CrossFade, EventTracker, Options
from softscene.features.streaming import log_mel_clips

from tests.conftest import FEATURES

HOP = (882, 44100)  # 0.02 s
rng = np.random.default_rng(0)


def stretches(active):
    """First frame and frame after the last, by a plain loop."""
    edges = np.flatnonzero(np.diff([0, *active.astype(int), 0]))
    return edges.reshape(-1, 2).tolist()


def merged(spans, gap):
    out = []
    for first, stop in spans:
        if out and first - out[-1][1] <= gap:
            out[-1][1] = stop
        else:
            out.append([first, stop])
    return out


def found(posteriors, options, size=77, limits=0.5):
    tracker = EventTracker(np.full(posteriors.shape[1], limits))
    for start in range(0, len(posteriors), size):
        tracker.push(posteriors[start : start + size])
    return tracker.events(("a", "b"), HOP, options)


@pytest.mark.parametrize(("gap", "shortest"), [(0, 0), (0.06, 0), (0, 0.06), (0.06, 0.2), (99, 0)])
def test_events_are_merged_and_then_short_ones_left_out(gap, shortest):
    posteriors = np.repeat(rng.random((400, 2)), rng.integers(1, 4, 400), axis=0)
    table = found(posteriors, Options(merge_gap=gap, min_duration=shortest))
    rows = []
    for event, name in enumerate("ab"):
        heard = posteriors[:, event] >= 0.5
        spans = merged(stretches(heard), round(gap / 0.02)) if gap else stretches(heard)
        for first, stop in spans:
            if stop - first >= round(shortest / 0.02):
                own = posteriors[first:stop, event][heard[first:stop]]
                rows.append((first, name, stop, own.mean()))
    rows.sort()
    assert len(table) == len(rows) > 1
    assert list(table.event) == [name for _, name, _, _ in rows]
    for column, place in (("onset", 0), ("offset", 2)):
        assert table[column].to_numpy() / 0.02 == pytest.approx(
            [row[place] for row in rows], abs=1e-3
        )
    assert list(table.confidence) == pytest.approx([row[3] for row in rows], abs=5.1e-5)
    assert set(table.threshold) == {0.5}


@pytest.mark.parametrize("gap", [0.02, 0.3, 0.58, 0.7, 1.1])
def test_a_gap_of_exactly_the_limit_is_closed_and_an_event_of_exactly_the_limit_stays(gap):
    """Though times of whole frames are not exact in binary: 0.58 / 0.02 is below 29."""
    frames = round(gap / 0.02)
    posteriors = np.zeros((3 * frames + 10, 2))
    posteriors[:frames, 0] = posteriors[2 * frames : 3 * frames, 0] = 1
    assert len(found(posteriors, Options(merge_gap=gap))) == 1
    assert len(found(posteriors, Options(merge_gap=gap - 0.02))) == 2
    assert len(found(posteriors, Options(min_duration=gap))) == 2
    assert len(found(posteriors, Options(min_duration=gap + 0.02))) == 0


def test_nothing_found_stays_nothing():
    table = found(np.zeros((50, 2)), Options(merge_gap=1, min_duration=1))
    assert len(table) == 0
    assert list(table.columns) == ["onset", "offset", "event", "confidence", "threshold"]


# --- Overlapping clips


@pytest.mark.parametrize("overlap", [0, 1, 10, 25])
@pytest.mark.parametrize("frames", [1, 24, 25, 49, 50, 51, 74, 75, 76, 99, 100, 101, 333])
def test_clips_of_a_signal_that_overlap(frames, overlap):
    """They are the slices that begin every 50 - overlap frames, until all frames are in one."""
    signal = rng.normal(0, 0.1, frames * FEATURES.hop_length).astype(np.float32)
    (whole,) = log_mel_clips([signal], 10**6, FEATURES)
    clips = list(log_mel_clips([signal[:5000], signal[5000:]], 50, FEATURES, overlap))
    starts = range(0, max(1, frames - overlap), 50 - overlap)
    assert len(clips) == len(starts)
    for clip, start in zip(clips, starts, strict=True):
        assert np.array_equal(clip, whole[start : start + 50])


@pytest.mark.parametrize("overlap", [0, 1, 10, 25])
@pytest.mark.parametrize("frames", [1, 9, 50, 51, 74, 76, 101, 333])
def test_posteriors_of_overlapping_clips_are_weighted_means(frames, overlap):
    """With weights of a triangle or trapezium, divided by their sum, which is then 1."""
    log_mel, step = rng.normal(size=(frames, 3)), 50 - overlap
    starts = list(range(0, max(1, frames - overlap), step))
    clips = [rng.random((min(50, frames - start), 2)) for start in starts]
    total, weights = np.zeros((frames, 2)), np.zeros((frames, 1))
    for number, (start, clip) in enumerate(zip(starts, clips, strict=True)):
        weight = np.ones(len(clip))
        for place in range(overlap):
            if number > 0:
                weight[place] *= (place + 0.5) / overlap
            if number < len(clips) - 1:
                weight[-1 - place] *= (place + 0.5) / overlap
        total[start : start + len(clip)] += weight[:, None] * clip
        weights[start : start + len(clip), 0] += weight
    np.testing.assert_allclose(weights, 1)
    joined, parts = CrossFade(overlap), []
    for start, clip in zip(starts, clips, strict=True):
        parts.append(joined.push(log_mel[start : start + len(clip)], clip))
    parts += [joined.rest()] if joined.rest() else []
    assert np.array_equal(np.concatenate([part for part, _ in parts]), log_mel)
    np.testing.assert_allclose(np.concatenate([part for _, part in parts]), total, atol=1e-12)
    assert overlap or all(part is clip for (_, part), clip in zip(parts, clips, strict=True))


def test_clips_overlap_by_half_at_most():
    assert Options(overlap=5).overlap_frames(500, 0.02) == 250
    assert Options(overlap=0.58).overlap_frames(500, 0.02) == 29
    with pytest.raises(ConfigurationError, match=r"overlap: 6 s given, 0 to 5 s expected: half of"):
        Options(overlap=6).overlap_frames(500, 0.02)
