"""What the explorer's page holds: sound, spectrogram, decisions and counts, each proved."""

import base64
import io
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image
from scipy.signal import resample_poly
from softscene.config.study import MOST_EXPLORED, explored_variants
from softscene.config.variants import Variant, variants_of
from softscene.evaluation.thresholds import grid
from softscene.explorer.encode import (
    SOUND_RATE,
    WIDEST,
    codes,
    frequency_marks,
    levels_of,
    packed,
    sound,
    spectrogram,
)
from softscene.explorer.page import COLOURS, PAGE, choose_recordings, fill_page, shown_of
from softscene.features.extraction import log_mel

from tests.conftest import FEATURES, PAPER, SCHEMA
from tests.unit.config.test_checks import changed, complaint


def content_of(uri, kind):
    head, text = uri.split(",")
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(text))


@pytest.mark.parametrize("extra", [[], [0.3, 0.7], list(grid(0.2, 0.4, 0.0007))], ids=len)
def test_codes_decide_as_the_probabilities_do(extra):
    levels = levels_of(extra)
    assert set(np.round(np.arange(101) / 100, 10)) | set(extra) == set(levels)
    near = levels.astype(np.float32)
    both = [np.nextafter(near, np.float32(side)) for side in (-1, 2)]
    chance = np.random.default_rng(0).random(400, np.float32)
    values = np.concatenate([near, *both, chance]).clip(0, 1)
    probabilities = np.resize(values, (len(values) // 4, 4)).astype(np.float32)
    found = codes(probabilities, levels)
    assert found.shape == probabilities.T.shape
    assert found.itemsize == (2 if len(levels) > 255 else 1)
    for index, level in enumerate(levels):
        expected = np.greater_equal(probabilities.T, np.float32(level))
        assert np.array_equal(found > index, expected), level


def test_packed_arrays_are_deflated_row_by_row():
    array = np.array([[1, 2, 300], [4, 5, 6]], "<u2")
    unpacked = zlib.decompress(base64.b64decode(packed(array)))
    assert unpacked == bytes([1, 0, 2, 0, 44, 1, 4, 0, 5, 0, 6, 0])


def test_the_sound_is_the_recording_and_on_time():
    """Of noise, which correlates with itself only where it is on time; Opus takes a sample."""
    rng = np.random.default_rng(1)
    samples = resample_poly(rng.normal(0, 0.01, 30000), 3, 1)[: 2 * 44100].astype(np.float32)
    samples[44100:] *= 5
    heard, rate = soundfile.read(content_of(sound(samples, 44100), "audio/ogg"))
    assert rate == SOUND_RATE
    assert len(heard) - 2 * SOUND_RATE in (0, 1)  # librosa rounds up
    heard = heard[: 2 * SOUND_RATE]
    expected = resample_poly(samples, 80, 147)
    inner = slice(2000, -2000)
    match = [
        np.corrcoef(np.roll(heard, lag)[inner], expected[inner])[0, 1] for lag in range(-9, 10)
    ]
    assert abs(np.argmax(match) - 9) <= 1
    assert max(match) > 0.6  # of noise, which is hardest
    assert np.abs(heard).max() == pytest.approx(0.7, abs=0.15)


def test_silence_stays_silent():
    heard, _ = soundfile.read(content_of(sound(np.zeros(44100, np.float32), 44100), "audio/ogg"))
    assert np.abs(heard).max() < 1e-3


def test_the_spectrogram_shows_time_to_the_right_and_frequency_upwards():
    features = np.random.default_rng(2).normal(-20, 0.1, (300, 64))
    features[100:200, 5] = 3.0
    image, step = spectrogram(features)
    with Image.open(content_of(image, "image/png")) as opened:
        pixels = np.asarray(opened.convert("L"), float)
    assert step == 1
    assert pixels.shape == (64, 300)
    bright = pixels > 0.9 * pixels.max()
    rows, columns = np.nonzero(bright)
    assert set(rows) == {63 - 5}
    assert set(columns) == set(range(100, 200))


def test_a_long_spectrogram_has_several_frames_to_a_pixel():
    features = np.zeros((2 * WIDEST + 1, 64))
    features[-1] = 1.0
    image, step = spectrogram(features)
    with Image.open(content_of(image, "image/png")) as opened:
        pixels = np.asarray(opened.convert("L"), float)
    assert step == 3
    assert pixels.shape == (64, -(-len(features) // 3))
    assert (pixels[:, -1] > pixels[:, :-1].max()).all(), "the last frames are not lost"


def test_a_tone_shows_where_its_frequency_is_marked():
    marks = frequency_marks(FEATURES)
    assert [hertz for hertz, _ in marks] == [125, 250, 500, 1000, 2000, 4000, 8000, 16000]
    time = np.arange(44100) / 44100
    for hertz, place in marks[1:]:  # 125 Hz is narrower than the FFT sees
        tone = np.sin(2 * np.pi * hertz * time).astype(np.float32)
        band = log_mel(tone, FEATURES)[10:40].mean(axis=0).argmax()
        assert place * FEATURES.bands == pytest.approx(band + 0.5, abs=0.75), hertz


def test_recordings_are_taken_of_each_scene_in_turn():
    scenes = {"a1": "home", "a2": "home", "a3": "home", "b1": "office", "c1": "city", "c2": "city"}
    assert choose_recordings(scenes, 1) == ["a1"]
    assert choose_recordings(scenes, 4) == ["a1", "a2", "b1", "c1"]
    assert choose_recordings(scenes, 5) == ["a1", "a2", "b1", "c1", "c2"]
    assert choose_recordings(scenes, 99) == list(scenes)


def test_files_are_given_to_the_students_in_order():
    soft = Variant("soft", "Soft", "soft", beta="0.5", temperature="2.0")
    variants = [vars(Variant("crnn", "CRNN", "none")), vars(soft)]
    shown = shown_of(variants, 7, ["p1", "p2", "p3", "p4"], ["t1", "t2", "t3", "t4"])
    assert [each.seed for each in shown] == [7, 7]
    assert [each.title for each in shown] == ["CRNN", "Soft, beta = 0.5, T = 2"]
    assert [each.probabilities for each in shown] == [["p1", "p2"], ["p3", "p4"]]
    assert [each.thresholds for each in shown] == [["t1", "t2"], ["t3", "t4"]]


def test_students_are_the_ones_nearest_to_table_3_or_those_named():
    variants = variants_of(PAPER["methods"])
    best = ["crnn/alpha-none_beta-none_T-none", "mtl/alpha-0.0001_beta-none_T-none"]
    assert [each.folder for each in explored_variants(variants, None)] == [
        *best, "soft/alpha-none_beta-1.0_T-1.0"
    ]  # fmt: skip
    named = ["soft/alpha-none_beta-0.1_T-5.0", "mtl/alpha-1.0_beta-none_T-none"]
    assert [each.folder for each in explored_variants(variants, named)] == named
    other = {"mtl": {"name": "M", "scene_loss": "hard", "alpha": [0.3, 0.1, 7.0]}}
    (variant,) = explored_variants(variants_of(other), None)
    assert variant.alpha == "0.1"


def test_an_unknown_student_is_refused_by_name():
    words = complaint(changed("explorer.students", ["mtl/alpha-2.0_beta-none_T-none"]))
    assert "explorer.students[0]: no such student" in words
    assert "mtl/alpha-1.0_beta-none_T-none" in words


def test_too_many_students_are_refused():
    known = [each.folder for each in variants_of(PAPER["methods"])]
    assert "at most 6 value" in complaint(changed("explorer.students", known[:7]))


def test_no_more_students_are_shown_than_the_schema_allows_and_colours_tell_apart():
    methods = {f"m{i}": {"name": f"M{i}", "scene_loss": "none"} for i in range(9)}
    shown = explored_variants(variants_of(methods), None)
    assert [each.method for each in shown] == ["m0", "m1", "m2", "m3", "m4", "m5"]
    limit = SCHEMA["properties"]["explorer"]["properties"]["students"]["maxItems"]
    assert limit == MOST_EXPLORED == len(shown)
    assert len(set(COLOURS[:MOST_EXPLORED])) == MOST_EXPLORED


def luminance(colour):
    """Relative luminance of #rrggbb, WCAG 2."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def palettes():
    """The colours of the page that have names: by day, and in dark mode."""
    blocks = re.findall(r":root \{(.*?)\}", (PAGE / "explorer.css").read_text(), re.DOTALL)
    day, night = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks)
    return [day, day | night]


def test_contrast_is_wcags():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("palette", palettes(), ids=["day", "night"])
def test_colours_can_be_told_from_the_paper(palette):
    """3:1 for what is drawn, 4.5:1 for text (WCAG 2, levels AA)."""
    drawn = [*COLOURS, *(palette[name] for name in ("reference", "cursor", "selection", "edge"))]
    for colour in drawn:
        assert contrast(colour, palette["paper"]) >= 3, colour
    for colour in (*COLOURS, palette["reference"]):
        assert contrast(colour, palette["band"]) >= 3, colour
    for name in ("text", "faint"):
        for under in ("paper", "panel", "band"):
            assert contrast(palette[name], palette[under]) >= 4.5, (name, under)
    assert contrast(palette["text"], palette["note"]) >= 4.5
    assert contrast(palette["accent-text"], palette["accent"]) >= 4.5
    assert contrast(palette["paper"], palette["cursor"]) >= 4.5, "the cursor's flag"


class Reader(HTMLParser):
    """Collects the data elements of a page, as a browser would find them."""

    def __init__(self):
        super().__init__()
        self.found, self.open, self.tags = {}, None, []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = dict(attributes)
        self.open = given["id"] if given.get("type") == "application/json" else None

    def handle_data(self, text):
        if self.open:
            self.found[self.open] = self.found.get(self.open, "") + text


def test_no_text_of_the_data_gets_out_of_its_element():
    nasty = "</script><img src=http://example.org/x>{{script}}<!-- é"
    reader = Reader()
    text = fill_page({"title": "<b>", "note": nasty}, [{"sound": nasty}])
    reader.feed(text)
    assert json.loads(reader.found["study"]) == {"title": "<b>", "note": nasty}
    assert json.loads(reader.found["recording-0"]) == {"sound": nasty}
    assert not {"img", "b"} & set(reader.tags)


def test_the_page_names_no_address():
    text = fill_page({"title": "r"}, [])
    assert not re.findall(r"(?:src|href)=|@import|url\((?!\$)|https?:", text)
