"""Progress of a long step, written to its log."""

import logging
import time

from tqdm import tqdm

RESUMING = "resuming after epoch"  # in the log of a resumed training: its time is not all of it
UNITS = ("B", "s")  # units without a plural
logger = logging.getLogger(__name__)


class Progress:
    """Log the progress of a step, at most every ``interval`` seconds, and when it is done.

    Parameters
    ----------
    name
        The step, e.g. ``"training"``.
    total
        Number of units in all.
    unit
        What is counted, e.g. ``"epoch"`` or ``"B"`` (scaled to kB, MB). The terminal's bar shows
        the part in parentheses: ``12 of 300 epochs``.
    interval
        Seconds between two lines.
    done
        Units that an earlier run did.
    """

    def __init__(
        self, name: str, total: int, unit: str = "it", interval: float = 10.0, done: int = 0
    ) -> None:
        self.name, self.total, self.unit, self.interval = name, total, unit, interval
        self.done = self._initial = done
        self._start = self._last = time.monotonic()

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count ``amount`` more units; ``note`` is appended to the line."""
        self.done += amount
        now = time.monotonic()
        if now - self._last < self.interval and self.done < self.total:
            return
        self._last = now
        plural = "s" * (self.total != 1 and self.unit not in UNITS)
        counted = "" if self.unit in ("B", "it") else f" {self.unit}{plural}"
        meter = tqdm.format_meter(
            self.done,
            self.total,
            now - self._start,
            initial=self._initial,
            unit=self.unit,
            unit_scale=self.unit == "B",
            bar_format="{percentage:3.0f} % ({n_fmt} of {total_fmt}"
            + counted
            + "), {elapsed} gone, "
            "{remaining} left, {rate_fmt}",
        )
        logger.info("%s: %s%s", self.name, meter, f"; {note}" if note else "")
