"""Start times from names of files, as recorders write them."""

import pytest
from softscene.detect.start_times import start_of, time_at

HALF_PAST_SIX = "2023-05-14T06:30:00.000"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20230514_063000.WAV", HALF_PAST_SIX),  # AudioMoth
        ("20230514_063000T.WAV", HALF_PAST_SIX),  # AudioMoth, triggered
        ("SMA00123_20230514_063000.wav", HALF_PAST_SIX),  # Song Meter
        ("SM2_000000_20230514_063000.wav", HALF_PAST_SIX),
        ("PREFIX_20230514_063000.wav", HALF_PAST_SIX),
        ("Recording 2023-05-14 06.30.00.m4a", HALF_PAST_SIX),
        ("2023-05-14_06-30-00_site7.flac", HALF_PAST_SIX),
        ("a-20230514063000.mp3", HALF_PAST_SIX),
        ("20230514T063000+1000_REC.wav", "2023-05-14T06:30:00.000+10:00"),  # BAR-LT
        ("20230514T063000-0230.wav", "2023-05-14T06:30:00.000-02:30"),
        ("20230514T063000Z.wav", "2023-05-14T06:30:00.000+00:00"),
        ("20230514_063000-0100.wav", HALF_PAST_SIX),  # may be a counter
        ("20230514_063000_001.wav", HALF_PAST_SIX),
        # No date and time, or none that is sure
        ("street.wav", ""),
        ("20230514.wav", ""),
        ("ZOOM0001.WAV", ""),
        ("230514_0630.wav", ""),
        ("5CE2D8A0.WAV", ""),
        ("14052023_063000.wav", ""),  # day first
        ("20230230_063000.wav", ""),  # there is no such day
        ("20230514_250000.wav", ""),
        ("20230514_063000_20230514_064000.wav", ""),  # begin and end
        ("120230514_063000.wav", ""),
        ("20230514_0630001.wav", ""),
        ("20230514T063000+9900.wav", ""),
        ("17230514_063000.wav", ""),
    ],
)
def test_a_date_and_time_in_a_name(name, expected):
    assert time_at(start_of(f"/rec/20200101_000000/{name}"), 0) == expected


def test_the_time_of_an_onset_goes_on_after_midnight():
    start = start_of("x_20231231_235959.wav")
    assert time_at(start, 0.58) == "2023-12-31T23:59:59.580"
    assert time_at(start, 1.240001) == "2024-01-01T00:00:00.240"
    assert time_at(start, 86400) == "2024-01-01T23:59:59.000"
