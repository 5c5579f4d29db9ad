"""The explorer in a real browser, by mouse and keys; its numbers against the stored results."""

import base64
import hashlib
import io
import itertools
import json
import re
import shutil
import subprocess
import sys

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

from tests.checkout import copy_of, wait_for
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
    with copy_of(finished, tmp_path_factory.mktemp("explored"), "explorer") as checkout:
        yield checkout


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=options)


@pytest.fixture
def opened(made, browser):
    """``opened(link, script)``: the page, freshly opened from the file system.

    It must neither complain nor ask a network. ``script`` runs before its own, and options are of
    the browser's context.
    """
    contexts, complaints, requests = [], [], []
    address = made.path("explorer.html").as_uri()

    def open_page(link="", script="", address=address, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(script)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append((request.url, address)))
        page.goto(address + link)
        page.wait_for_selector("#events td")
        return page

    yield open_page
    assert complaints == []
    asked = [each for each in requests if not each[0].startswith(("data:", "blob:"))]
    assert all(url.split("#")[0] == page for url, page in asked)
    for context in contexts:
        context.close()


@pytest.fixture
def page(opened):
    return opened()


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


def test_everything_goes_by_keys(page, made):
    first = choose(page, 0)
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


# --- What is shown first, and in which order


@pytest.mark.parametrize(("size", "highest"), [((1280, 800), 150), ((420, 860), 250)], ids=str)
def test_the_spectrogram_comes_first(opened, size, highest):
    page = opened(viewport=dict(zip(("width", "height"), size, strict=True)))
    plot = page.locator("#plot").bounding_box()
    assert plot["y"] < highest
    assert page.locator("#scores").bounding_box()["y"] > plot["y"] + plot["height"]
    play = page.locator("#play").bounding_box()
    assert plot["y"] + SPECTROGRAM < play["y"] < size[1] - play["height"], "in reach, below it"


def of_columns(made, labels, mode):
    """Recording -> what the table of counts says of each student."""
    limits = stored_limits(made, labels, mode)
    return {name: expected(made, labels, [name], limits) for name in evaluated(made)}


def test_the_first_recording_is_one_in_which_methods_detect_something(page, made, labels):
    found = of_columns(made, labels, "adaptive")
    finders = {name: sum(int(row[0]) > 0 for row in rows) for name, rows in found.items()}
    first = next(name for name in listed(page) if finders[name] == max(finders.values()))
    assert shown_recording(page) == first
    assert finders[first] == len(STUDENTS)
    assert any(int(row[0]) > 0 for row in numbers(page, "recording"))


def listed(page):
    return [each.get_attribute("title") for each in page.locator("#recordings [role=option]").all()]


@pytest.mark.parametrize("mode", ["adaptive", "fixed"])
def test_recordings_are_sorted_by_a_methods_error(page, made, labels, mode):
    page.check(f"input[value={mode}]")
    for student in range(len(STUDENTS)):
        page.select_option("#order", str(student))
        rates = {
            name: rows[student][COUNTS.index("error-rate")]
            for name, rows in of_columns(made, labels, mode).items()
        }
        assert listed(page) == sorted(rates, key=lambda name, rates=rates: -float(rates[name]))
        texts = page.locator("#recordings [role=option] span").all_inner_texts()
        assert texts == [rates[name] for name in listed(page)]
    before = shown_recording(page)
    page.keyboard.press("p")
    place = max(listed(page).index(before) - 1, 0)
    wait_for(lambda: shown_recording(page) == listed(page)[place])


# --- Selection, loop, speed


def drag(page, *places):
    """Drag along the spectrogram over these shares of the times; gives the times, in seconds."""
    plot = page.locator("#plot").bounding_box()
    span = plot["width"] - 2 - LEFT - RIGHT
    xs = [round(plot["x"] + 1 + LEFT + place * span) for place in places]
    page.mouse.move(xs[0], plot["y"] + 80)
    page.mouse.down()
    for x in xs[1:]:
        page.mouse.move(x, plot["y"] + 90)
    page.mouse.up()
    length = float(page.inner_text("#time").split(":")[-1]) + 60 * int(
        page.inner_text("#time").split("/")[1].split(":")[0]
    )
    return [(x - plot["x"] - 1 - LEFT) / span * length for x in xs]


def selected(page):
    """Seconds from which and to which is selected."""
    return [
        60 * int(minutes) + float(rest)
        for minutes, rest in re.findall(r"(\d+):([\d.]+)", page.inner_text("#selection-times"))
    ]


def test_a_selection_is_played_once_or_looped(page):
    choose(page, 1)
    first, _, last = drag(page, 0.3, 0.5, 0.35)
    assert selected(page) == pytest.approx([first, last], abs=0.006)
    assert cursor(page) == pytest.approx(first, abs=0.006)
    page.keyboard.press("Space")
    wait_for(lambda: cursor(page) >= last - 0.01)
    wait_until(page, "Play")
    assert cursor(page) < last + 1

    page.click("#loop")
    assert page.get_attribute("#loop", "aria-pressed") == "true"
    page.keyboard.press("Space")
    wait_until(page, "Pause")
    times = [cursor(page)]

    def returns():
        times.append(cursor(page))
        return sum(later < before for before, later in itertools.pairwise(times))

    wait_for(lambda: returns() >= 3)
    assert "Pause" in page.inner_text("#play"), "it goes on"
    assert min(times) >= first - 0.01
    assert max(times) < last + 1
    page.keyboard.press("l")
    wait_until(page, "Play")
    page.keyboard.press("Escape")
    assert page.is_hidden("#selection")


def test_a_selection_goes_by_keys(page):
    choose(page, 1)
    for key in ("ArrowRight", "ArrowRight", "[", "ArrowRight", "]"):
        page.keyboard.press(key)
    assert selected(page) == [2.0, 3.0]
    page.keyboard.press("Home")
    page.keyboard.press("[")
    assert selected(page) == [0.0, 3.0]


KEPT = "const Kept = Audio; window.Audio = function () { return (window.kept = new Kept()); };"


def test_the_speed_is_the_sounds_and_stays_with_the_next_recording(opened):
    page = opened(script=KEPT)
    page.select_option("#speed", "0.5")
    assert page.evaluate("kept.playbackRate") == 0.5
    choose(page, 1)
    assert page.evaluate("kept.playbackRate") == 0.5
    page.keyboard.press(">")
    page.keyboard.press(">")
    page.focus("#plot")
    assert page.evaluate("kept.playbackRate") == 1
    assert page.input_value("#speed") == "1"
    assert page.evaluate("kept.preservesPitch")


# --- Lanes and errors


def pixels(page, canvas="base"):
    """A canvas of the plot: rows x columns x RGBA."""
    uri = page.evaluate(f"document.getElementById('{canvas}').toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as opened:
        return np.asarray(opened.convert("RGBA"))


def has_colour(page, colour):
    """Whether the plot shows a colour somewhere below its time axis."""
    return bool((pixels(page)[SPECTROGRAM + AXIS :, :, :3] == colour).all(axis=-1).any())


def test_lanes_are_hidden_and_shown(page):
    choose(page, 2)
    blue = [0, 114, 178]
    rows, before = page.locator("#events tbody tr").count(), page.locator("#plot").bounding_box()
    assert has_colour(page, blue)
    page.uncheck("#lanes input[value='0']")
    assert not has_colour(page, blue)
    after = page.locator("#plot").bounding_box()
    assert before["height"] - after["height"] == 11 * rows
    page.locator("#events tbody input").first.uncheck()
    height = AROUND + 11 + (len(STUDENTS) - 1) * 11
    assert after["height"] - page.locator("#plot").bounding_box()["height"] == height
    page.check("#lanes input[value='0']")
    page.locator("#events tbody input").first.check()
    assert page.locator("#plot").bounding_box()["height"] == before["height"]
    assert has_colour(page, blue)


def errors_of(made, labels, name, limits):
    """(onset, kind, student, event) of each stretch of frames that is wrong, by onset."""
    events = read_table(made.path("annotations/events.tsv"))
    own = events[events.recording == name]
    found = []
    for student, limit in zip(STUDENTS, limits, strict=True):
        source = made.path("predictions", student, "probabilities.h5")
        scores = load_probabilities(source, [name], {})[0][name]
        active = recording_activity(own, labels.events, len(scores), 0.02)
        detected = scores >= np.float32(limit)
        for kind, wrong in (("positive", detected & ~active), ("negative", active & ~detected)):
            steps = np.diff(np.pad(wrong.astype(int), ((1, 1), (0, 0))), axis=0)
            for frame, event in np.argwhere(steps == 1):
                end = frame + np.argmax(steps[frame:, event] == -1)
                place = (round(frame * 0.02, 2), round(end * 0.02, 2))
                found.append((*place, kind, student, labels.events[event]))
    return sorted(found)


def test_errors_are_gone_through_one_by_one(page, made, labels):
    name = choose(page, 2)
    steps, errors = 0, []
    while {each[2] for each in errors} != {"positive", "negative"}:
        steps += 1
        errors = errors_of(made, labels, name, [0.4 + steps / 100] * len(STUDENTS))
    page.keyboard.press(",")
    page.keyboard.press(".")
    for _ in range(abs(steps - 10)):
        page.keyboard.press("." if steps > 10 else ",")
    assert float(page.inner_text("#threshold-value")) == round(0.4 + steps / 100, 2)
    titles = page.locator("#scores tbody th").all_inner_texts()
    seen = []
    for _ in errors[:60]:
        page.keyboard.press("x")
        sentence = r"False (\w+): (.*) (?:detects|misses) (.*?), "
        kind, method, event = re.match(sentence, page.inner_text("#readout")).groups()
        seen.append((*selected(page), kind, STUDENTS[titles.index(method)], event))
        assert cursor(page) == pytest.approx(selected(page)[0], abs=0.011)
    assert len(set(seen)) == len(seen) == min(60, len(errors))
    assert [each[0] for each in seen] == [each[0] for each in errors[:60]], "by time"
    assert set(seen) <= set(errors)
    page.keyboard.press("Shift+X")
    assert selected(page) == list(seen[-2][:2])


def test_errors_of_hidden_lanes_are_passed_over(page, made, labels):
    name = choose(page, 2)
    for lane in (0, 2):
        page.uncheck(f"#lanes input[value='{lane}']")
    limits = stored_limits(made, labels, "adaptive")
    errors = [each for each in errors_of(made, labels, name, limits) if each[3] == STUDENTS[1]]
    page.click("#error-next")
    assert selected(page)[0] == min(errors)[0]
    assert tuple(selected(page)) in {each[:2] for each in errors}
    page.keyboard.press("End")
    page.click("#error-before")
    assert selected(page)[0] == max(errors)[0]


def test_tp_fp_and_fn_are_explained_and_drawn_apart(page, made, labels):
    legend = page.inner_text(".legend")
    for words in (
        "TP, true positive: detected and in the reference",
        "FP, false positive: detected but not in the reference",
        "FN, false negative: in the reference but not detected",
    ):
        assert words in legend
    name = choose(page, 2)
    events = read_table(made.path("annotations/events.tsv"))
    (event, *_) = events[events.recording == name].event
    for _ in range(50):
        page.keyboard.press(".")
    assert page.inner_text("#threshold-value") == "1.00"
    top = top_of(page, event) + AROUND / 2 + 11 + 2  # of the first student's lane
    lane = (pixels(page)[int(top) : int(top) + 9, LEFT:-RIGHT, :3] == [0, 114, 178]).all(axis=-1)
    own = events[(events.recording == name) & (events.event == event)]
    missed = (own.offset - own.onset).sum() / seconds_of(made, name)
    assert lane[0].mean() == lane[8].mean() == pytest.approx(missed, abs=0.01)
    assert not lane[2:7].any(), "hollow"


# --- A link to what is shown


def state_of(page):
    return {
        "recording": shown_recording(page),
        "mode": page.locator("[name=mode]:checked").get_attribute("value"),
        "threshold": page.inner_text("#threshold-value"),
        "time": page.inner_text("#time"),
        "selection": selected(page),
        "loop": page.get_attribute("#loop", "aria-pressed"),
        "speed": page.input_value("#speed"),
        "order": page.input_value("#order"),
        "lanes": [box.is_checked() for box in page.locator("#lanes input").all()],
        "events": [box.is_checked() for box in page.locator("#events input").all()],
        "counts": numbers(page, "recording"),
        "view": [hashlib.sha256(pixels(page, each)).hexdigest() for each in ("base", "overlay")],
    }


def address(page):
    """The page's address, once it has been renewed."""
    page.wait_for_timeout(600)
    return page.evaluate("location.hash")


def test_the_address_is_a_link_to_what_is_shown(page, opened):
    choose(page, 2)
    page.keyboard.press(",")
    page.select_option("#order", "2")
    page.select_option("#speed", "0.75")
    page.click("#loop")
    page.uncheck("#lanes input[value='1']")
    page.locator("#events tbody input").nth(1).uncheck()
    page.click("#zoom-in")
    drag(page, 0.25, 0.5)
    page.mouse.move(1, 1)
    kept = state_of(page)
    link = address(page)
    again = opened(link)
    wait_for(lambda: again.inner_text("#time") == kept["time"])
    wait_for(lambda: selected(again) == kept["selection"])
    assert state_of(again) == kept
    page.reload()
    page.wait_for_selector("#events td")
    wait_for(lambda: selected(page) == kept["selection"])
    assert state_of(page) == kept


def test_a_link_that_says_nonsense_is_the_page_as_it_begins(page, opened):
    begin = state_of(page)
    link = (
        "#recording=no&mode=<b>&threshold=7&view=9-x&selection=5-2&at=-1&order=9&speed=99&hide=7"
        "&hide-event=no&loop=x"
    )
    other = opened(link)
    assert state_of(other) == begin
    other.evaluate("location.hash = 'mode=fixed'")
    wait_for(lambda: other.is_checked("input[value=fixed]"))


# --- Without Opus, by touch, for screen readers


NO_OPUS = "HTMLMediaElement.prototype.canPlayType = () => '';"


def test_without_opus_all_else_is_there(opened, page, made, labels):
    assert page.is_hidden("#no-sound")
    silent = opened(script=NO_OPUS)
    assert "does not play the sound (Opus)" in silent.inner_text("#no-sound")
    assert silent.is_disabled("#play")
    name = choose(silent, 1)
    limits = stored_limits(made, labels, "adaptive")
    assert numbers(silent, "recording") == expected(made, labels, [name], limits)
    plot = silent.locator("#plot").bounding_box()
    silent.mouse.click(plot["x"] + 500, plot["y"] + 60)
    assert cursor(silent) > 1
    silent.keyboard.press("Home")
    silent.keyboard.press("Space")
    silent.keyboard.press("x")
    assert len(selected(silent)) == 2


TOUCH = {
    "viewport": {"width": 420, "height": 860}, "has_touch": True, "is_mobile": True,
    "device_scale_factor": 2,
}  # fmt: skip


def test_all_goes_by_touch_on_a_narrow_screen(opened):
    page = opened(**TOUCH)
    choose(page, 1)
    for each in page.locator("button:visible, select:visible").all():
        box = each.bounding_box()
        assert box["height"] >= 44, each.get_attribute("id")
    for lane in range(4):
        assert page.locator("#lanes label").nth(lane).bounding_box()["height"] >= 44
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
    page.evaluate("window.scrollTo(0, 0)")
    plot = page.locator("#plot").bounding_box()
    page.touchscreen.tap(plot["x"] + 200, plot["y"] + 60)
    first = cursor(page)
    assert first > 1
    swipe(page, plot["x"] + 150, plot["x"] + 250, plot["y"] + 60)
    wait_for(lambda: len(selected(page)) == 2)
    assert selected(page)[0] < first < selected(page)[1]
    page.tap("#recording-next")
    page.tap("#error-next")
    assert "False" in page.inner_text("#readout")
    page.tap("#play")
    wait_until(page, "Play")


def swipe(page, start, end, y):
    session = page.context.new_cdp_session(page)
    for kind, x in [("touchStart", start), *(("touchMove", start + step * (end - start) / 5)
                                             for step in range(1, 6))]:  # fmt: skip
        points = [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_what_can_be_used_has_a_name_and_a_place_for_the_keys(page):
    unnamed = page.evaluate("""() => [...document.querySelectorAll("button, select, input")].filter(
      (each) => !each.closest("[hidden]") && !each.getAttribute("aria-label") &&
        !each.textContent.trim() && ![...each.labels].some((label) => label.textContent.trim())
    ).map((each) => each.outerHTML)""")
    assert unnamed == []
    stuck = page.evaluate("""() => [...document.querySelectorAll("*")].filter((each) =>
      ["auto", "scroll"].includes(getComputedStyle(each).overflowX) &&
      each.scrollWidth > each.clientWidth && each.tabIndex < 0).map((each) => each.outerHTML)""")
    assert stuck == []
    roles = page.evaluate("""() => [...document.querySelectorAll("#recordings > *")].map(
      (each) => each.getAttribute("role"))""")
    assert set(roles) == {"group"}
    labels = page.locator("#recordings [role=group]").evaluate_all(
        "groups => groups.map((each) => each.ariaLabel)"
    )
    assert labels == ["city center", "home", "office", "residential area"]


# --- One's own recordings


def test_the_page_of_an_own_recording_shows_what_was_found(made, opened, tmp_path):
    """Against the table of events that is written beside it."""
    wav = next(made.path("data").glob("*/audio/**/*.wav"))
    program = made.folder / "workflow_scripts" / "detect.py"
    given = [program, wav, "--page", "--output", tmp_path]
    done = subprocess.run([sys.executable, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = read_table(tmp_path / f"{wav.name}.events.tsv")
    assert len(found) > 0
    page = opened(address=(tmp_path / f"{wav.name}.html").as_uri())
    assert page.locator("#plot").bounding_box()["y"] < 150
    assert wav.name in page.inner_text("#recording")
    assert "synthetic sound" in page.inner_text("#note")
    for hidden in ("#nav", "#error-next", "#scores", "input[value=fixed]"):
        assert page.is_hidden(hidden)
    assert page.locator("#lanes input").count() == 1, "no lane of a reference"
    assert f"{len(found)} event" in page.inner_text("#recording small")
    assert "in its tables" in page.inner_text("#recording small")
    page.keyboard.press("?")
    keys = page.inner_text("#help")
    assert "adaptive thresholds" in keys
    for absent in ("next or previous recording", "fixed thresholds", "oracle", "error"):
        assert absent not in keys
    page.keyboard.press("Escape")
    shown = {
        row.get_attribute("data-event"): row.locator("td").all_inner_texts()
        for row in page.locator("#events tbody tr").all()
    }
    assert set(shown) == set(found.event)
    for event, (_, times, seconds, _) in shown.items():
        own = found[found.event == event]
        assert int(times) == len(own)
        assert float(seconds) == pytest.approx((own.offset - own.onset).sum(), abs=0.011)
    page.keyboard.press("e")
    first = found.iloc[0]
    assert selected(page) == pytest.approx([first.onset, first.offset], abs=0.006)
    wait_until(page, "Play")


def test_the_page_of_a_silent_recording_says_that_nothing_was_found(made, opened, tmp_path):
    """At the width of a telephone, where names stand above lanes and the cursor passes them by."""
    soundfile.write(tmp_path / "off.wav", np.zeros(44100 * 3), 44100)
    program = made.folder / "workflow_scripts" / "detect.py"
    given = [program, "off.wav", "--page", "--no-picture", "--threshold", "0"]
    done = subprocess.run(
        [sys.executable, *given], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    address = (tmp_path / "detections" / "off.wav.html").as_uri()
    page = opened(address=address, viewport={"width": 420, "height": 900})
    said = page.inner_text("#recording small")
    assert said.startswith("no events in its tables: try a lower threshold (own, below)")
    assert "All samples are 0: the tables have no events" in page.inner_text("#note")
    line = """() => {
      const canvas = document.getElementById("overlay");
      const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, 60, canvas.height);
      return Array.from({ length: height }, (_, y) =>
        [...Array(width).keys()].some((x) => data[4 * (y * width + x) + 3] > 0)); }"""
    drawn = page.evaluate(line)
    lanes = drawn[SPECTROGRAM + AXIS :]
    assert all(drawn[:SPECTROGRAM])
    assert not any(lanes[:15])
    assert all(lanes[15:28]), "a row has 4 + 15 + 9 + 4 pixels less half of those around"
    table = page.locator("#events").bounding_box()
    assert table["x"] + table["width"] <= 420


def test_only_the_page_is_made_again_where_its_keys_change(made):
    assert made.planned("explorer") == {}
    jobs = {"fetch_sound": 1, "make_explorer": 1}
    assert made.planned("explorer", "--config", "explorer={recordings: 2}") == jobs
    assert "make_explorer" not in made.planned(), "on demand only"
