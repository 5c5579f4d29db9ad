"""The held-out part of a synthetic corpus: recordings as in TUT's evaluation sets."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from softscene.corpus.sample_annotations import CLIP_SECONDS, OFFICE, draw_list, plan_recordings
from softscene.corpus.synthesis import SAMPLE_RATE

STREET = "TUT-sound-events-2017-evaluation"
OFFICE_CLIPS = "TUT-acoustic-scenes-2016-evaluation"
STREET_CLIPS = "TUT-acoustic-scenes-2017-evaluation"
SHORT_SECONDS = (10 * SAMPLE_RATE + 1) / SAMPLE_RATE  # like TUT's clips of 30 s, a sample more
# Unlisted recordings of each set: path (the number is filled in), scene if the set has others than
# the list, and seconds.
UNLISTED = {
    STREET: ("audio/street/a{:03d}.wav", None, None),
    OFFICE_CLIPS: ("audio/{}.wav", "bus", CLIP_SECONDS),
    STREET_CLIPS: ("audio/{}.wav", "bus", SHORT_SECONDS),
}
_PATHS = {
    "city_center": f"{STREET_CLIPS}/audio/{{}}.wav",
    "home": "TUT-sound-events-2016-evaluation/audio/home/a{:03d}.wav",
    "residential_area": "TUT-sound-events-2016-evaluation/audio/residential_area/a{:03d}.wav",
    OFFICE: f"{OFFICE_CLIPS}/audio/{{}}.wav",
}


def draw_heldout(
    event_statistics: pd.DataFrame,
    recordings: Mapping[str, int],
    seconds: Mapping[str, float],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Recordings and events of the held-out part; arguments and both tables as for development.

    Each scene has as many recordings as in the development part. As in the authors' second list,
    those of city_center are clips of 10 s, except the first, which is a longer street recording.
    Each event occurs four times or more.

    Raises
    ------
    ConfigurationError
        As :func:`softscene.corpus.sample_annotations.plan_recordings`.
    """
    seed = int(np.random.SeedSequence([seed, 3]).generate_state(1)[0])  # others than development's
    plan = plan_recordings(recordings, seconds, seed)
    paths = [_PATHS[scene].format(n) for n, scene in enumerate(plan.scene_label, start=1)]
    plan = plan.assign(path=paths)
    street = plan.scene_label == "city_center"
    longer = street & ~plan.scene_label.duplicated()
    form = f"{STREET}/{UNLISTED[STREET][0]}"
    plan.loc[longer, "path"] = [form.format(index + 1) for index in plan.index[longer]]
    plan.loc[street & ~longer, "seconds"] = SHORT_SECONDS
    return plan, draw_list(event_statistics, plan, seed)


def lengths_of(recordings: pd.DataFrame) -> pd.Series:
    """Seconds of the recordings of a given second list: clips as TUT's, others to the last offset.

    Parameters
    ----------
    recordings
        ``path`` and ``seconds`` (the last offset) of each.
    """
    dataset = recordings.path.str.split("/").str[0]
    whole = dataset.map({OFFICE_CLIPS: CLIP_SECONDS, STREET_CLIPS: SHORT_SECONDS})
    return whole.fillna(recordings.seconds).clip(lower=recordings.seconds)
