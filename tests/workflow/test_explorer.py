"""The explorer in a real browser, by mouse and keys; its numbers against the stored results."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import sync_playwright
from scipy.signal import resample_poly
from softscene.core.tsv import read_table
from softscene.evaluation import metrics
from softscene.evaluation.probabilities import load_probabilities
from softscene.features.activity import recording_activity

from tests.checkout import Checkout, wait_for
from tests.workflow.test_small import STUDENTS

# Root mean square of each 20 ms of a recording's sound, at 48 kHz.
LOUDNESS = """async (index) => {
  const uri = JSON.parse(document.getElementById(`recording-${index}`).textContent).sound;
  const bytes = Uint8Array.from(atob(uri.split(",")[1]), (each) => each.charCodeAt(0));
  const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes.buffer);
  const samples = sound.getChannelData(0);
  return Array.from({ length: Math.floor(samples.length / 960) }, (_, i) => Math.sqrt(
    samples.subarray(960 * i, 960 * (i + 1)).reduce((sum, each) => sum + each * each, 0) / 960));
}"""
# Whether each column of the plot has a colour in so many rows of pixels, from a height on.
SOLID = """([top, rows, colour]) => {
  const canvas = document.getElementById("base");
  const { data } = canvas.getContext("2d").getImageData(0, top, canvas.width, rows);
  const has = (x, y) => colour.every((each, i) => data[4 * (y * canvas.width + x) + i] === each);
  return Array.from({ length: canvas.width }, (_, x) =>
    [...Array(rows).keys()].every((y) => has(x, y)));
}"""
LEFT, RIGHT, SPECTROGRAM, AXIS, AROUND = 148, 68, 150, 26, 8  # pixels, see drawing.js
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt install chromium"),
]
COUNTS = ("hits", "extras", "misses", "f-score", "error-rate")


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """A copy of the finished checkout, with its explorer."""
    folder = tmp_path_factory.mktemp("explored") / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    with Checkout(folder) as checkout:
        done = checkout.snakemake("explorer")
        assert done.returncode == 0, done.stdout
        yield checkout


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=options)


@pytest.fixture
def page(made, browser):
    """The page, freshly opened from the file system; it must neither complain nor ask a network."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    address = made.path("explorer.html").as_uri()
    page.goto(address)
    page.wait_for_selector("#scores td")
    yield page
    assert complaints == []
    asked = [url for url in requests if not url.startswith(("data:", "blob:"))]
    assert asked == [address]
    context.close()


def numbers(page, where):
    """The table of counts as it is read on the screen: a row for each student."""
    return [
        [
            page.inner_text(f"#scores tr[data-student='{i}'] td[data-count='{where}-{name}']")
            for name in COUNTS
        ]
        for i in range(len(STUDENTS))
    ]


def expected(made, labels, recordings, limits):
    """The same from the stored probabilities, by the evaluation's own counting."""
    events = read_table(made.path("annotations/events.tsv"))
    rows = []
    for student, thresholds in zip(STUDENTS, limits, strict=True):
        source = made.path("predictions", student, "probabilities.h5")
        total = None
        for name, scores in load_probabilities(source, recordings, {})[0].items():
            own = events[events.recording == name]
            active = recording_activity(own, labels.events, len(scores), 0.02)
            counts = metrics.count(active, scores >= np.float32(thresholds))
            total = counts if total is None else total + counts
        rows.append(readable(total))
    return rows


def readable(counts):
    sums = (counts.true_positives, counts.false_positives, counts.false_negatives)
    return [
        *(str(each.sum()) for each in sums),
        f"{100 * metrics.micro_f_score(counts):.2f} %",
        f"{metrics.micro_error_rate(counts):.4f}",
    ]


def stored_limits(made, labels, mode):
    tables = [read_table(made.path("predictions", each, "thresholds.tsv")) for each in STUDENTS]
    return [table.set_index("event")[mode].loc[list(labels.events)].to_numpy() for table in tables]


def shown_recording(page):
    return page.get_attribute("#recording small", "title")


def choose(page, index):
    page.locator("#recordings [role=option]").nth(index).click()
    name = page.locator("#recordings [role=option]").nth(index).get_attribute("title")
    wait_for(lambda: shown_recording(page) == name)
    return name


def near(page, share):
    """The own threshold, once the slider is about there."""
    level = float(page.inner_text("#threshold-value"))
    return level if abs(level - share) < 0.03 else None


def wait_until(page, button):
    """Wait for what the play button says: `Play` when all is quiet, `Pause` while it plays."""
    wait_for(lambda: button in page.inner_text("#play"))


def cursor(page):
    """Seconds at which the cursor stands."""
    minutes, seconds = re.match(r"(\d+):([\d.]+)", page.inner_text("#time")).groups()
    return 60 * int(minutes) + float(seconds)


def evaluated(made):
    table = read_table(made.path("folds/fold-1/recordings.tsv"))
    return list(table.recording[table.part == "evaluation"])


@pytest.mark.parametrize("mode", ["adaptive", "fixed", "oracle"])
def test_counts_of_each_mode_are_those_of_the_evaluation(page, made, labels, mode):
    page.check(f"input[value={mode}]")
    limits = stored_limits(made, labels, mode)
    names = evaluated(made)
    assert page.locator("#recordings [role=option]").count() == len(names)
    for index in range(len(names)):
        name = choose(page, index)
        assert numbers(page, "recording") == expected(made, labels, [name], limits)
    for shown, student in zip(numbers(page, "part"), STUDENTS, strict=True):
        overall = read_table(made.path("evaluation", student, "overall.tsv"))
        (row,) = overall[(overall.convention == "frame") & (overall.threshold == mode)].itertuples()
        assert shown == [
            str(row.true_positives), str(row.false_positives), str(row.false_negatives),
            f"{100 * row.f_score:.2f} %", f"{row.error_rate:.4f}",
        ]  # fmt: skip


def test_dragging_the_threshold_changes_detections_and_counts(page, made, labels):
    name = choose(page, 2)
    before, lanes = numbers(page, "recording"), page.locator("#plot").screenshot()
    page.locator("#threshold").scroll_into_view_if_needed()
    slider = page.locator("#threshold").bounding_box()
    height = slider["y"] + slider["height"] / 2
    page.mouse.move(slider["x"] + slider["width"] / 2, height)
    page.mouse.down()
    seen = set()
    for share in (0.45, 0.4, 0.55, 0.52):
        page.mouse.move(slider["x"] + share * slider["width"], height)
        level = wait_for(lambda share=share: near(page, share))
        limits = [level] * len(STUDENTS)
        assert page.is_checked("input[value=own]")
        assert numbers(page, "recording") == expected(made, labels, [name], limits)
        assert numbers(page, "part") == expected(made, labels, evaluated(made), limits)
        seen.add(json.dumps(numbers(page, "recording")))
    page.mouse.up()
    assert len(seen) >= 3
    assert json.dumps(before) not in seen
    assert page.locator("#plot").screenshot() != lanes, "the lanes show it too"


@pytest.mark.parametrize(("height", "stays"), [(700, True), (500, False)])
def test_controls_stay_in_view_where_there_is_room(page, height, stays):
    page.set_viewport_size({"width": 1280, "height": height})
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.evaluate("window.scrollY") > 200, "the page is longer than that"
    top = page.locator("#threshold").bounding_box()["y"]
    assert (0 < top < height) == stays


def test_the_table_of_events_counts_each_event(page, made, labels):
    name = choose(page, 2)
    page.keyboard.press(".")
    level = float(page.inner_text("#threshold-value"))
    assert level == 0.51
    events = read_table(made.path("annotations/events.tsv"))
    source = made.path("predictions", STUDENTS[1], "probabilities.h5")
    scores = load_probabilities(source, [name], {})[0][name]
    own = events[events.recording == name]
    active = recording_activity(own, labels.events, len(scores), 0.02)
    counts = metrics.count(active, scores > level)
    shown = {
        row.get_attribute("data-event"): row.locator("[data-student='1']").all_inner_texts()
        for row in page.locator("#events tbody tr").all()
    }
    assert shown.keys() >= set(own.event)
    for event, (threshold, each, f_score) in shown.items():
        i = labels.events.index(event)
        triple = counts.true_positives[i], counts.false_positives[i], counts.false_negatives[i]
        assert threshold == "0.51"
        assert each == " / ".join(map(str, triple))
        value = metrics.f_score(*(np.array(number) for number in triple))
        assert f_score == ("\N{EN DASH}" if np.isnan(value) else f"{100 * value:.2f} %")


def test_a_click_goes_there_and_space_plays_from_there(page):
    choose(page, 1)
    plot = page.locator("#plot").bounding_box()
    page.mouse.click(plot["x"] + 500, plot["y"] + 60)
    first = cursor(page)
    page.mouse.click(plot["x"] + 700, plot["y"] + 60)
    start = cursor(page)
    assert 0 < first < start < 12
    page.keyboard.press("Space")
    wait_until(page, "Pause")
    wait_for(lambda: cursor(page) > start + 0.5)
    page.keyboard.press("Space")
    wait_until(page, "Play")
    assert start + 0.5 < cursor(page) < start + 5


@pytest.mark.parametrize("way", ["key", "click"])
def test_an_event_is_played_to_its_end(page, made, way):
    events = read_table(made.path("annotations/events.tsv"))
    for place in range(len(evaluated(made))):
        name = choose(page, place)
        own = events[events.recording == name].sort_values("onset", kind="stable")
        onsets = own.drop_duplicates("onset").reset_index()
        inside = onsets.offset < seconds_of(made, name) - 2
        if inside.any():
            break
    number = inside.idxmax()
    row = onsets.loc[number]
    assert inside[number], "it is not the recording's end that stops it"
    if way == "key":
        for _ in range(number + 1):
            page.keyboard.press("e")
    else:
        page.mouse.click(*place_of(page, made, row))
    wait_until(page, "Pause")
    wait_until(page, "Play")
    assert row.offset - 0.01 <= cursor(page) < row.offset + 1


def top_of(page, event):
    """Where a row of lanes begins in the plot: they stand in the order of the table of events."""
    rows = [each.inner_text() for each in page.locator("#events tbody th").all()]
    return SPECTROGRAM + AXIS + rows.index(event) * (AROUND + 11 + len(STUDENTS) * 11)


def seconds_of(made, name):
    """Length of a recording of an evaluation part, in whole frames."""
    parts = [read_table(path) for path in made.path("folds").glob("fold-*/recordings.tsv")]
    return pd.concat(parts).drop_duplicates("recording").set_index("recording").frames[name] * 0.02


def place_of(page, made, row):
    """Where the middle of an occurrence lies on the screen."""
    plot = page.locator("#plot").bounding_box()
    middle = (row.onset + row.offset) / 2 / seconds_of(made, row.recording)
    x = plot["x"] + 1 + LEFT + middle * (plot["width"] - 2 - LEFT - RIGHT)
    return x, plot["y"] + 1 + top_of(page, row.event) + AROUND / 2 + 5


def test_a_lane_is_solid_where_it_is_right_and_only_there(page, made, labels):
    name = choose(page, 2)
    for _ in range(10):
        page.keyboard.press(",")
    event = labels.events.index("keyboard typing")
    source = made.path("predictions", STUDENTS[0], "probabilities.h5")
    scores = load_probabilities(source, [name], {})[0][name][:, event]
    events = read_table(made.path("annotations/events.tsv"))
    own = events[events.recording == name]
    hits = recording_activity(own, labels.events, len(scores), 0.02)[:, event] & (scores > 0.4)

    top = top_of(page, "keyboard typing") + AROUND / 2 + 11 + 2  # of the first student's lane
    solid = np.array(page.evaluate(SOLID, [top + 2, 5, [0, 114, 178]]))[LEFT:-RIGHT]
    frames = np.linspace(0, len(hits), len(solid) + 1)
    near = [hits[max(0, int(x) - 4) : int(x) + 5] for x in frames[:-1]]  # bars have a least width
    right, wrong = (np.array([each.all() for each in part]) for part in (near, [~n for n in near]))
    assert right.sum() > 20
    assert wrong.sum() > 100
    assert solid[right].all()
    assert not solid[wrong].any()


def test_everything_goes_by_keys(page, made, labels):
    names = evaluated(made)
    first = shown_recording(page)
    assert first in names
    page.keyboard.press("n")
    wait_for(lambda: shown_recording(page) != first)
    page.focus("#recordings")
    page.keyboard.press("ArrowUp")
    wait_for(lambda: shown_recording(page) == first)
    page.focus("#plot")
    for key, place in {
        "ArrowRight": 1,
        "Shift+ArrowRight": 1.02,
        "ArrowLeft": 0.02,
        "End": seconds_of(made, first),
    }.items():
        page.keyboard.press(key)
        assert cursor(page) == pytest.approx(place, abs=0.011), key
    page.keyboard.press("Home")
    whole = page.locator("#plot").screenshot()
    page.keyboard.press("+")
    assert page.locator("#plot").screenshot() != whole
    page.keyboard.press("0")
    assert page.locator("#plot").screenshot() == whole
    page.keyboard.press(",")
    assert page.inner_text("#threshold-value") == "0.49"
    page.keyboard.press("f")
    assert page.is_checked("input[value=fixed]")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert page.is_hidden("#help")


def test_the_sound_is_the_recordings_and_as_long(page, made):
    """Decoded by the browser itself: loud and quiet where the WAV file is."""
    name = choose(page, 2)
    heard = np.array(page.evaluate(LOUDNESS, page.locator("#recordings [aria-selected=true]")
                                   .get_attribute("id").removeprefix("option-")))  # fmt: skip
    (wav,) = made.path("data").glob(f"*/audio/{name}")
    samples, rate = soundfile.read(wav)
    signal = resample_poly(samples.mean(axis=1), 160, 147)
    assert rate == 44100
    assert len(heard) == len(signal) // 960 == 1500
    own = np.sqrt((signal[: len(heard) * 960].reshape(-1, 960) ** 2).mean(axis=1))
    match = [np.corrcoef(np.roll(heard, lag), own)[0, 1] for lag in (-1, 0, 1)]
    assert np.argmax(match) == 1
    assert match[1] > 0.95


@pytest.mark.parametrize("size", [(1280, 800), (560, 900)], ids=str)
def test_it_says_synthetic_and_looks_like_something(page, size, tmp_path):
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    assert "Synthetic corpus" in page.inner_text("#note")
    picture = tmp_path / "explorer.png"
    page.screenshot(path=picture)
    with Image.open(picture) as opened:
        assert opened.size == size
        colours = opened.convert("RGB").getcolors(maxcolors=size[0] * size[1])
    assert len(colours) > 500, "a spectrogram is there"
    assert max(number for number, _ in colours) < 0.9 * size[0] * size[1]
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0, "nothing sticks out"


def test_only_the_page_is_made_again_where_its_keys_change(made):
    assert made.planned("explorer") == {}
    jobs = {"fetch_sound": 1, "make_explorer": 1}
    assert made.planned("explorer", "--config", "explorer={recordings: 2}") == jobs
    assert "make_explorer" not in made.planned(), "on demand only"
