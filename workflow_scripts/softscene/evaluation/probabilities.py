"""The file of a student's event probabilities."""

from pathlib import Path

import numpy as np

from softscene.core.errors import FeatureError, how_to_remake
from softscene.core.files import replacing_hdf5
from softscene.core.origins import Facts, require_facts
from softscene.features.clips import Clips, join_clips
from softscene.features.store import open_hdf5, read_hdf5, read_proved, write_proved


def save_probabilities(
    clips: Clips,
    probabilities: np.ndarray,
    events: tuple[str, ...],
    hop: tuple[int, int],
    target: str | Path,
    origin: Facts,
) -> None:
    """Write ``probabilities.h5``: frames x events of each recording, without padding.

    Parameters
    ----------
    clips
        The clips of the part.
    probabilities
        Clips x frames x events.
    events
        Names of the classes.
    hop
        Samples from frame to frame, and samples per second.
    target
        The HDF5 file.
    origin
        What they were made from: the student, and its data.
    """
    with replacing_hdf5(target) as store:
        store.attrs["events"] = list(events)
        facts = {"hop_length": hop[0], "sample_rate": hop[1], **origin}
        for recording, frames in join_clips(clips.table, probabilities).items():
            write_proved(store, recording, frames, facts, compression="gzip", shuffle=True)


def load_probabilities(
    source: str | Path, recordings: list[str], origin: Facts
) -> tuple[dict[str, np.ndarray], tuple[int, int]]:
    """Read what :func:`save_probabilities` wrote: recording -> frames x events, and the hop.

    Parameters
    ----------
    source
        The file.
    recordings
        Those to read.
    origin
        What they must have been made from, as far as the reader knows it.

    Raises
    ------
    FeatureError
        The file cannot be read, lacks a recording, was made from something else, or holds values
        that are not finite.
    """

    def read() -> tuple[dict[str, np.ndarray], tuple[int, int]]:
        with open_hdf5(source) as store:
            missing = [name for name in recordings if name not in store]
            if missing:
                heading = f"{source} lacks recordings; {how_to_remake(source)}"
                raise FeatureError.of(heading, missing)
            found = {name: read_proved(store[name], source) for name in recordings}
            for name in recordings:
                require_facts(source, store[name].attrs, origin, FeatureError)
            attributes = store[recordings[0]].attrs
            return found, (int(attributes["hop_length"]), int(attributes["sample_rate"]))

    return read_hdf5(source, read)
