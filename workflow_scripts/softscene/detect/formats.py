"""The forms in which a recording's events are written."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from softscene.core.errors import printable
from softscene.core.files import replacing, write_text
from softscene.core.tsv import write_table

WHOLE = {"sort_keys": False, "ensure_ascii": False, "allow_nan": False, "indent": 1}


def _write_tsv(events: pd.DataFrame, name: str, top: float, target: Path) -> None:
    write_table(events, target)


def _write_csv(events: pd.DataFrame, name: str, top: float, target: Path) -> None:
    """RFC 4180: commas, quotes where they are needed."""
    with replacing(target) as partial:
        events.to_csv(partial, index=False)


def _write_json(events: pd.DataFrame, name: str, top: float, target: Path) -> None:
    rows = events.to_dict("records")
    write_text(target, json.dumps({"recording": printable(name), "events": rows}, **WHOLE) + "\n")


def _write_audacity(events: pd.DataFrame, name: str, top: float, target: Path) -> None:
    """Audacity's labels: begin, end (s), and text, with tabs."""
    rows = zip(events.onset, events.offset, events.event, strict=True)
    lines = (f"{onset:.6f}\t{offset:.6f}\t{event}\n" for onset, offset, event in rows)
    write_text(target, "".join(lines))


def _write_raven(events: pd.DataFrame, name: str, top: float, target: Path) -> None:
    """A selection table of Raven; each selection spans all frequencies."""
    table = pd.DataFrame(
        {
            "Selection": range(1, len(events) + 1),
            "View": "Spectrogram 1",
            "Channel": 1,
            "Begin Time (s)": events.onset.map("{:.6f}".format),
            "End Time (s)": events.offset.map("{:.6f}".format),
            "Low Freq (Hz)": 0,
            "High Freq (Hz)": f"{top:g}",
            "Annotation": events.event,
            "Confidence": events.confidence,
            "Threshold": events.threshold,
        }
    )
    with replacing(target) as partial:
        table.to_csv(partial, sep="\t", index=False)


def _write_rttm(events: pd.DataFrame, name: str, top: float, target: Path) -> None:
    """NIST's Rich Transcription Time Marked, whose ten fields are separated by blanks."""
    file = _word(Path(name).stem)
    rows = zip(events.onset, events.offset, events.event, events.confidence, strict=True)
    lines = (
        f"SPEAKER {file} 1 {onset:.6f} {offset - onset:.6f} <NA> <NA> {_word(event)} "
        f"{confidence:.4f} <NA>\n"
        for onset, offset, event, confidence in rows
    )
    write_text(target, "".join(lines))


def _word(name: str) -> str:
    """A name as one field, without blanks."""
    return re.sub(r"\s+", "_", printable(name).strip()) or "_"


WRITERS: dict[str, Callable[[pd.DataFrame, str, float, Path], None]] = {
    "tsv": _write_tsv,
    "csv": _write_csv,
    "json": _write_json,
    "audacity": _write_audacity,
    "raven": _write_raven,
    "rttm": _write_rttm,
}
"""Of each of ``recordings.FORMATS``: takes events, the recording's name, its highest frequency
(Hz), and the file to write."""
