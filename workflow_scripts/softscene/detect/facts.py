"""Facts about a recording and what was found in it, kept beside its results.

They say what made the results, so that a later call can tell whether to make them again, and hold
all that the summary of many recordings needs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from softscene.core.errors import printable
from softscene.core.files import write_text
from softscene.core.tsv import write_table
from softscene.data.levels import Level
from softscene.detect.detector import Detector
from softscene.detect.events import Options
from softscene.detect.formats import WHOLE
from softscene.features.store import FeatureParameters

Json = dict[str, Any]
SUMMARY, RECORDINGS = "summary.tsv", "recordings.tsv"  # in the folder of the results
SUMMARY_COLUMNS = ("recording", "event", "count", "seconds", "first_onset", "trained_on")
RECORDING_COLUMNS = (
    "recording", "seconds", "rate", "channels", "recorded", "peak_dbfs", "clipped", "silent",
    "events", "scene", "posterior", "reason", "trained_on",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What was found in a recording.

    Attributes
    ----------
    seconds, rate, channels
        Its length, sample rate (Hz) and number of channels.
    recorded
        When it began (ISO 8601), if its name says so; else empty.
    level
        Of its samples.
    events
        ``onset``, ``offset`` (s), ``event``, ``confidence``, ``threshold``, ``recorded`` (when it
        began, ISO 8601, or empty) and ``trained_on``; by onset.
    scenes
        Mean posterior of each scene; NaN if no student has a scene branch.
    """

    seconds: float
    rate: int
    channels: int
    recorded: str
    level: Level
    events: pd.DataFrame
    scenes: np.ndarray


def rate_fault(rate: int, features: FeatureParameters) -> str | None:
    """What is wrong with a recording's rate (Hz) for students with these features."""
    if rate / 2 >= features.fmax:
        return None
    return (
        f"has {rate} Hz, so no sound above {rate / 2000:g} kHz; the students were trained with "
        f"sound up to {features.fmax / 1000:g} kHz, so trust its events less"
    )


def state_of(source: Path, detector: Detector, options: Options) -> Json:
    """What results depend on: the file (by size and date), the students and the options."""
    about = source.stat()
    return {
        "bytes": about.st_size,
        "modified_ns": about.st_mtime_ns,
        "detector": detector.checksum,
        "students": [member.name for member in detector.members],
        "options": asdict(options),
    }


def write_facts(found: Found, name: str, detector: Detector, state: Json, target: Path) -> None:
    """Write a recording's facts as JSON; :func:`read_facts` reads them."""
    about, level = detector.about, found.level
    spans = found.events.assign(seconds=found.events.offset - found.events.onset)
    events = {
        event: {
            "count": len(rows),
            "seconds": round(float(rows.seconds.sum()), 3),
            "first_onset": float(rows.onset.min()),
        }
        for event, rows in spans.groupby("event", sort=True)
    }
    known = not np.isnan(found.scenes).any()
    scenes = dict(zip(about.scenes, found.scenes.round(4).tolist(), strict=True)) if known else {}
    facts = {
        "recording": printable(name),
        "seconds": round(found.seconds, 6),
        "rate": found.rate,
        "channels": found.channels,
        "recorded": found.recorded,
        "peak_dbfs": None if level.silent else round(level.decibels, 2),
        "clipped": round(level.clipped, 6),
        "silent": level.silent,
        "warnings": [*level.faults(), *filter(None, [rate_fault(found.rate, about.features)])],
        "scenes": scenes,
        "events": events,
        "trained_on": about.trained_on,
        "made_of": state,
    }
    write_text(target, json.dumps(facts, **WHOLE) + "\n")


def read_facts(source: Path, state: Json | None = None) -> Json | None:
    """A recording's facts; ``None`` if there are none, or they are of another state."""
    try:
        facts = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(facts, dict) and "made_of" in facts
    return facts if known and state in (None, facts["made_of"]) else None


def write_summaries(done: Mapping[str, Json], failed: Mapping[str, str], folder: Path) -> None:
    """Write ``summary.tsv``, a row for each recording and event, and ``recordings.tsv``.

    Parameters
    ----------
    done
        Name of each recording with results, and its facts.
    failed
        Name of each other recording, and why it has none.
    folder
        Where they go.
    """
    rows = [row for name, facts in sorted(done.items()) for row in _events_of(name, facts)]
    write_table(pd.DataFrame(rows, columns=SUMMARY_COLUMNS), folder / SUMMARY)
    rows = [_recording_of(name, facts) for name, facts in done.items()]
    rows += [{"recording": printable(name), "reason": why} for name, why in failed.items()]
    table = pd.DataFrame(rows, columns=RECORDING_COLUMNS).sort_values("recording", kind="stable")
    integers = ["rate", "channels", "silent", "events"]
    write_table(table.astype(dict.fromkeys(integers, "Int64")), folder / RECORDINGS)


def _events_of(name: str, facts: Json) -> Iterable[Json]:
    for event, counted in facts["events"].items():
        yield {
            "recording": printable(name),
            "event": event,
            **counted,
            "trained_on": facts["trained_on"],
        }


def _recording_of(name: str, facts: Json) -> Json:
    scenes = facts["scenes"]
    scene = max(scenes, key=scenes.get) if scenes else ""
    return {
        **{key: value for key, value in facts.items() if key in RECORDING_COLUMNS},
        "recording": printable(name),
        "silent": int(facts["silent"]),
        "events": sum(each["count"] for each in facts["events"].values()),
        "scene": scene,
        "posterior": scenes.get(scene),
        "reason": "; ".join(facts["warnings"]),
    }
