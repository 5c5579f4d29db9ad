"""The level of a recording: silence, clipping and wrong scaling."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

LOUD = 8  # 18 dB above full scale: a larger sample was probably never divided by 32768
QUIET = 1e-3  # -60 dB: less than a switched-on microphone's noise in most recorders
FULL = 32767 / 32768  # full scale of 16 bits; the largest sample of 24 bits is above it, too
FULL_OF_8_BITS = 127 / 128
CLIPPED = 1e-4  # share of samples at full scale from which a recording counts as clipped


@dataclass(frozen=True)
class Level:
    """How loud the samples of a recording are.

    Attributes
    ----------
    peaks
        Largest absolute sample of each channel; full scale is 1.
    clipped
        Share of all samples that are at full scale or above it.
    """

    peaks: tuple[float, ...]
    clipped: float

    @property
    def peak(self) -> float:
        """Largest absolute sample of all channels."""
        return max(self.peaks)

    @property
    def decibels(self) -> float:
        """``peak`` in dB relative to full scale; minus infinity for digital silence."""
        return 20 * math.log10(self.peak) if self.peak > 0 else -math.inf

    @property
    def silent(self) -> bool:
        """Whether all samples are 0."""
        return self.peak == 0

    @property
    def scaling(self) -> str | None:
        """What is wrong if samples are far above full scale."""
        if self.peak <= LOUD:
            return None
        return (
            f"samples reach {self.peak:.0f}, -1 .. 1 expected; they are used unchanged: write the "
            "file again if it holds 16-bit numbers that were never divided by 32768"
        )

    def faults(self) -> Iterator[str]:
        """All that is suspicious, in words."""
        if self.silent:
            yield "is silent: all of its samples are 0, so it has no events"
        elif self.peak < QUIET:
            yield (
                f"is almost silent: its loudest sample is at {self.decibels:.0f} dB of full scale; "
                "was the microphone off, or is the file scaled wrongly?"
            )
        elif mute := [number for number, peak in enumerate(self.peaks, 1) if peak == 0]:
            channels = ", ".join(map(str, mute))
            yield f"channel {channels} of {len(self.peaks)} is silent, which lowers the mean of all"
        if self.scaling:
            yield self.scaling
        elif self.clipped > CLIPPED:
            yield f"is clipped: {100 * self.clipped:.2g} % of its samples are at full scale"
