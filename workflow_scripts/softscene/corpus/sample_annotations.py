"""Draws annotations for a synthetic corpus from the statistics of the authors' list.

``resources/event_statistics.tsv`` and ``scene_statistics.tsv`` are what :func:`measure_statistics`
gives for the authors' ``meta/meta_development.txt`` (without its row of zero length), with the
minutes that TUT states for home (36:16) and residential_area (42:00), 78 clips of 30 s for office,
and the rest of 166 minutes for city_center. They hold only counts and durations.

Lists have the authors' columns: ``path scene_label event_start_time event_end_time event_label``.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from softscene.core.errors import ConfigurationError
from softscene.corpus.synthesis import SAMPLE_RATE
from softscene.data.annotations import PUBLISHED_COLUMNS

LIST_COLUMNS = list(PUBLISHED_COLUMNS)
FOLDS = (1, 2, 3, 4)
OFFICE, OFFICE_SECONDS = "office", 30.0
CLIP_SECONDS = (30 * SAMPLE_RATE + 1) / SAMPLE_RATE  # TUT's clips of 30 s have one extra sample
PATHS = {
    "city_center": "TUT-sound-events-2017-development/audio/street/a{:03d}.wav",
    "home": "TUT-sound-events-2016-development/audio/home/a{:03d}.wav",
    "residential_area": "TUT-sound-events-2016-development/audio/residential_area/a{:03d}.wav",
    OFFICE: "TUT-acoustic-scenes-2016-development/audio/a{:03d}_0_30.wav",
}
QUANTILES = {"min": 0.0, "q10": 0.1, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q90": 0.9, "max": 1.0}
ACTIVE = ("active_0", "active_1", "active_2", "active_3_or_more")
_GRID = 0.01  # seconds; resolution at which overlaps are checked
_ROUNDS = 20  # onsets tried in each recording before an event may overlap itself
# Real events overlap less than by chance: this share takes the emptiest of _ALTERNATIVES places.
# The polyphony is then within 0.05 of every real fraction (with independent places: 0.13).
_EVASIVE, _ALTERNATIVES = 0.4, 8


def measure_statistics(
    events: pd.DataFrame, minutes: Mapping[str, float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure how often events occur, how long they last, and how many are active at a time.

    Parameters
    ----------
    events
        A list; rows of zero length are left out.
    minutes
        Scene -> total minutes of its recordings.

    Returns
    -------
    tuple
        A row for each event and scene: ``count``, ``per_minute``, and ``mean`` and quantiles of the
        duration in seconds. A row for each scene: ``recordings``, ``minutes``, and the fractions of
        time in which 0, 1, 2, 3 or more different events are active. Six decimals.
    """
    events = events[events.event_end_time > events.event_start_time]
    spans = events.assign(seconds=events.event_end_time - events.event_start_time)
    seconds = spans.groupby(["event_label", "scene_label"]).seconds
    table = seconds.agg(["size", "mean"]).rename(columns={"size": "count"})
    for name, share in QUANTILES.items():
        table[name] = seconds.quantile(share)
    table = table.reset_index()
    table.insert(3, "per_minute", table["count"] / table.scene_label.map(minutes))
    scenes = [
        (scene, part.path.nunique(), minutes[scene], *measure_polyphony(part, 60 * minutes[scene]))
        for scene, part in events.groupby("scene_label")
    ]
    columns = ["scene_label", "recordings", "minutes", *ACTIVE]
    return table.round(6), pd.DataFrame(scenes, columns=columns).round(6)


def measure_polyphony(events: pd.DataFrame, seconds: float) -> np.ndarray:
    """Fractions of ``seconds`` in which 0, 1, 2, 3 or more different events are active, (4,)."""
    spent = np.zeros(len(ACTIVE))
    for _, part in events.groupby("path"):
        starts = zip(part.event_start_time, np.ones(len(part)), part.event_label, strict=True)
        ends = zip(part.event_end_time, -np.ones(len(part)), part.event_label, strict=True)
        active: dict[str, int] = {}
        last = 0.0
        for time, step, label in sorted([*starts, *ends]):
            different = sum(number > 0 for number in active.values())
            spent[min(different, len(spent) - 1)] += time - last
            active[label] = active.get(label, 0) + int(step)
            last = time
    spent[0] += seconds - spent.sum()
    return spent / seconds


def plan_recordings(
    recordings: Mapping[str, int], seconds: Mapping[str, float], seed: int
) -> pd.DataFrame:
    """Name the recordings of a corpus and spread those of each scene over the folds.

    Parameters
    ----------
    recordings, seconds
        Scene -> number of recordings, and seconds of each (office: 30, may be left out).
    seed
        Decides which recording is evaluated in which fold, and the extra length of each.

    Returns
    -------
    DataFrame
        ``path``, ``scene_label``, ``seconds``, ``fold``; the numbers in the names are unique over
        all data sets. As in TUT's data, no length is round: an office clip has one sample more
        than 30 s, any other recording up to a second more than requested.

    Raises
    ------
    ConfigurationError
        Lists unknown scenes and numbers that are too small.
    """
    _check_sizes(recordings, seconds)
    rng, more = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 2])
    rows: list[tuple[str, str, float, int]] = []
    for scene in sorted(recordings):
        number, first = recordings[scene], len(rows)
        for i, place in enumerate(rng.permutation(number)):
            path = PATHS[scene].format(first + i + 1)
            length = CLIP_SECONDS
            if scene != OFFICE:
                samples = round(seconds[scene] * SAMPLE_RATE) + int(more.integers(1, SAMPLE_RATE))
                length = samples / SAMPLE_RATE
            rows.append((path, scene, length, FOLDS[(first + int(place)) % len(FOLDS)]))
    return pd.DataFrame(rows, columns=["path", "scene_label", "seconds", "fold"])


def _check_sizes(recordings: Mapping[str, int], seconds: Mapping[str, float]) -> None:
    def faults(scene: str) -> Iterator[str]:
        if scene not in PATHS:
            yield f"{scene}: unknown scene; known: {', '.join(PATHS)}"
        if recordings.get(scene, 0) < 2:
            yield f"{scene}: {recordings.get(scene, 0)} recordings; each scene needs 2 or more"
        length = seconds.get(scene, OFFICE_SECONDS if scene == OFFICE else 0)
        if not 1 <= length < np.inf:
            yield f"{scene}: recordings of {length} s; 1 s or more expected"
        if scene == OFFICE and length != OFFICE_SECONDS:
            yield f"{scene}: clips of {length} s; they always have {OFFICE_SECONDS:g} s"

    problems = [fault for scene in {**recordings, **seconds} for fault in faults(scene)]
    if sum(recordings.values()) < len(FOLDS):
        problems.append(f"{sum(recordings.values())} recordings cannot fill {len(FOLDS)} folds")
    if problems:
        raise ConfigurationError.of("such a corpus cannot be drawn:", problems)


def draw_annotations(
    event_stats: pd.DataFrame,
    recordings: Mapping[str, int],
    seconds: Mapping[str, float],
    seed: int,
) -> pd.DataFrame:
    """Draw a list in the authors' format that follows their list's statistics.

    Rates per minute are kept, except that each event occurs in as many folds as have recordings
    for it, and each recording has an event. Durations follow the quantiles and the mean, and are
    cut at the recording's end. Long events are placed first. An event overlaps itself only if there
    is no other place, and overlaps other events less than by chance, as in real scenes.

    Parameters
    ----------
    event_stats
        As returned by :func:`measure_statistics`.
    recordings, seconds, seed
        As for :func:`plan_recordings`.

    Returns
    -------
    DataFrame
        The authors' columns; times in seconds with six decimals.

    Raises
    ------
    ConfigurationError
        As :func:`plan_recordings`.
    """
    plan = plan_recordings(recordings, seconds, seed)
    table = draw_list(event_stats, plan, seed)
    check_folds(table, split_folds(table, plan))
    return table


def draw_list(event_stats: pd.DataFrame, plan: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw the list of planned recordings, see :func:`draw_annotations`."""
    rng = np.random.default_rng([seed, 1])
    lines = {row.path: _Timeline(row) for row in plan.itertuples(index=False)}
    for occurrence in _draw_occurrences(event_stats, plan, rng):
        _place(occurrence, list(lines.values()), rng)
    for line in lines.values():
        if not line.rows:  # only in a very short recording
            stats = event_stats[event_stats.scene_label == line.scene]
            row = stats.loc[stats["count"].idxmax()]
            duration = float(_draw_durations(row, 1, rng)[0])
            _place((row.event_label, line.scene, duration, line.fold), [line], rng)
    rows = [row for line in lines.values() for row in sorted(line.rows, key=lambda row: row[2:])]
    return pd.DataFrame(rows, columns=LIST_COLUMNS)


def split_folds(
    events: pd.DataFrame, plan: pd.DataFrame
) -> dict[int, tuple[pd.DataFrame, pd.DataFrame]]:
    """Fold -> its development and its evaluation part of the list."""
    fold = events.path.map(dict(zip(plan.path, plan.fold, strict=True)))
    return {number: (events[fold != number], events[fold == number]) for number in FOLDS}


def check_folds(
    events: pd.DataFrame, folds: Mapping[int, tuple[pd.DataFrame, pd.DataFrame]]
) -> None:
    """Check that folds partition the list, and evaluate only events that they also train on.

    Raises
    ------
    ConfigurationError
        Lists each event that only a fold's evaluation part has, and each empty fold.
    """
    problems = []
    for number, (development, evaluation) in folds.items():
        unseen = set(evaluation.event_label) - set(development.event_label)
        problems += [f"fold {number}: {name!r} has no training data" for name in sorted(unseen)]
        if evaluation.empty:
            problems.append(f"fold {number}: no recording to evaluate on")
    if problems:
        raise ConfigurationError.of("the folds need more recordings:", problems)
    evaluated = pd.concat([evaluation for _, evaluation in folds.values()])
    assert sorted(evaluated.index) == sorted(events.index), "folds are a partition"


_Occurrence = tuple[str, str, float, int | None]  # event, scene, seconds, fold if it matters


def _draw_occurrences(
    stats: pd.DataFrame, plan: pd.DataFrame, rng: np.random.Generator
) -> list[_Occurrence]:
    """All occurrences, longest first; the longest ones of each event go to different folds."""
    minutes = plan.groupby("scene_label").seconds.sum() / 60
    stats = stats[stats.scene_label.isin(minutes.index)].reset_index(drop=True)
    counts = _count_occurrences(stats, minutes)
    folds = {scene: sorted(set(part.fold)) for scene, part in plan.groupby("scene_label")}
    result: list[_Occurrence] = []
    for _, part in stats.groupby("event_label"):
        drawn = [
            (row.event_label, row.scene_label, float(seconds))
            for index, row in part.iterrows()
            for seconds in _draw_durations(row, counts[index], rng)
        ]
        missing = set(FOLDS)
        for occurrence in sorted(drawn, key=_longest_first):
            choices = [fold for fold in folds[occurrence[1]] if fold in missing]
            fold = int(rng.choice(choices)) if choices else None
            missing.discard(fold)
            result.append((*occurrence, fold))
    return sorted(result, key=_longest_first)


def _longest_first(occurrence: tuple) -> tuple:
    return -occurrence[2], occurrence[:2]


def _count_occurrences(stats: pd.DataFrame, minutes: pd.Series) -> pd.Series:
    counts = (stats.per_minute * stats.scene_label.map(minutes)).round().astype(int)
    for _, part in counts.groupby(stats.event_label):
        usual = stats.loc[part.index, "per_minute"].idxmax()
        counts[usual] += max(0, len(FOLDS) - part.sum())
    return counts


def _draw_durations(row: pd.Series, number: int, rng: np.random.Generator) -> np.ndarray:
    """Seconds of ``number`` occurrences, (number,): evenly spread over the distribution.

    Linear between quantiles up to 90 %; above, a power curve to the maximum whose exponent gives
    the measured mean. A straight line would make the rare long events far too long.
    """
    shares, values = np.array(list(QUANTILES.values())), row[list(QUANTILES)].to_numpy(float)
    below = np.sum(np.diff(shares)[:-1] * (values[1:-1] + values[:-2]) / 2)
    tail, top = 1 - shares[-2], values[-1] - values[-2]
    share = ((row["mean"] - below) / tail - values[-2]) / top if top > 0 else 0.5
    power = 1 / np.clip(share, 0.02, 0.98) - 1
    u = (rng.permutation(number) + rng.random(number)) / max(number, 1)
    drawn = np.interp(u, shares, values)
    over = np.clip((u - shares[-2]) / tail, 0, 1)
    return np.where(over > 0, values[-2] + top * over**power, drawn)


class _Timeline:
    """The active events of one recording over time, on a grid of 10 ms."""

    def __init__(self, recording: tuple) -> None:
        self.path, self.scene, self.seconds, self.fold = recording
        self.rows: list[tuple] = []
        self._active: dict[str, np.ndarray] = {}
        self._all = np.zeros(int(np.ceil(self.seconds / _GRID)) + 1, dtype=np.uint8)

    def crowd(self, event: str, onset: float, duration: float) -> tuple[int, int]:
        """Grid points of a place that the event itself, and that other events, already occupy."""
        span = self._span(onset, duration)
        own = int(self._active[event][span].sum()) if event in self._active else 0
        return own, int(self._all[span].sum()) - own

    def add(self, event: str, onset: float, duration: float) -> None:
        span = self._span(onset, duration)
        active = self._active.setdefault(event, np.zeros(len(self._all), dtype=np.uint8))
        self._all[span] += 1 - active[span]
        active[span] = 1
        last = math.floor(self.seconds * 1e6) / 1e6  # not after the last sample
        start, end = round(onset, 6), min(round(onset + duration, 6), last)
        self.rows.append((self.path, self.scene, start, end, event))

    @staticmethod
    def _span(onset: float, duration: float) -> slice:
        return slice(int(onset / _GRID), int((onset + duration) / _GRID) + 1)


def _place(occurrence: _Occurrence, lines: Sequence[_Timeline], rng: np.random.Generator) -> None:
    """Place an event where it does not overlap itself, sometimes in the emptiest of some places."""
    event, scene, duration, fold = occurrence
    wanted = _ALTERNATIVES if rng.random() < _EVASIVE else 1
    lines = [line for line in lines if line.scene == scene and fold in (None, line.fold)]
    free: list[tuple] = []
    taken: list[tuple] = []
    for i in np.tile(rng.permutation(len(lines)), _ROUNDS):
        line, length = lines[i], min(duration, lines[i].seconds)
        onset = float(rng.uniform(0, line.seconds - length))
        own, others = line.crowd(event, onset, length)
        (taken if own else free).append((own, others, len(free), line, onset, length))
        if len(free) == wanted:
            break
    _, _, _, line, onset, length = min(free or taken, key=lambda place: place[:2])
    line.add(event, onset, length)
