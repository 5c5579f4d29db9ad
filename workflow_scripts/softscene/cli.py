"""The command ``softscene``: the library without the workflow."""

import argparse
import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from softscene.core.errors import ResultError, SoftSceneError, printable
from softscene.detect.recordings import DEFAULT_FORMATS, FORMATS, endings, find_recordings

PURPOSE = "Find sound events and the scene in recordings of your own, with trained students."
EPILOG = """\
Each recording gets, below the output folder: NAME.events.tsv (onset, offset, event, confidence,
threshold ...), NAME.audacity.txt (in Audacity: File > Import > Labels), NAME.scenes.tsv,
NAME.facts.json and NAME.png; with --page NAME.html, too. For all of them there are summary.tsv
(count, seconds and first onset of each event) and recordings.tsv (level, scene, what was wrong).
Exit code: 0, or 1 if a recording could not be used. docs/own-recordings.md says more."""


def main(arguments: Sequence[str] | None = None, runs: Path = Path("results")) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments
        The command's arguments; by default those of this process.
    runs
        Folder of finished runs; its newest detector is used unless one is named.
    """
    for stream in (sys.stdout, sys.stderr):  # their encoding may lack characters of file names
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(arguments)
    try:
        _require_folder(given.output)
        found = find_recordings(given.recordings)
        _say(*found.foreign, file=sys.stderr)
        not_done = _detect_all(found.recordings, given, runs)
    except (SoftSceneError, OSError) as error:
        _say(*f"{type(error).__name__}: {error}".split("\n"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("interrupted; what was finished is kept", file=sys.stderr)
        return 130
    done, number = len(found.recordings) - len(not_done), len(found.recordings)
    _say(f"{done} of {number} recordings done; see {given.output}")
    problems = [*found.problems, *not_done]
    if problems:
        _say("not done:", *(f"  {problem}" for problem in problems), file=sys.stderr)
    return 1 if problems else 0


def _say(*lines: str, file: TextIO | None = None) -> None:
    """Print lines; file names in them may hold any character."""
    for line in lines:
        tqdm.write(printable(line), file=file or sys.stdout)


def _parser() -> argparse.ArgumentParser:
    program = argparse.ArgumentParser(prog="softscene")
    commands = program.add_subparsers(dest="command", metavar="COMMAND", required=True)
    parser = commands.add_parser(
        "detect", help=PURPOSE, description=PURPOSE, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "recordings", nargs="+", metavar="FILE", type=Path,
        help="a file that soundfile or FFmpeg reads (WAV, FLAC, OGG, MP3, M4A ...), or a folder of "
        "such files",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, default=Path("detections"), metavar="FOLDER",
        help="where results go (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--detector", type=Path, metavar="FILE",
        help="detector.safetensors of a finished run (default: the newest in results/*/)",
    )  # fmt: skip
    parser.add_argument(
        "--student", action="append", default=[], metavar="NAME",
        help="use only this student, e.g. fold-1_seed-0; repeat to average several "
        "(default: the average of all in the detector)",
    )  # fmt: skip
    _add_options(parser)
    _add_results(parser)
    parser.add_argument(
        "--jobs", type=_positive, default=1, metavar="N",
        help="recordings at a time, a process each; results do not depend on it "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_positive, default=1, metavar="N",
        help="computing threads of each process; may change the last digits (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto",
        help="auto: CUDA if available (default: %(default)s)",
    )  # fmt: skip
    return program


def _add_options(parser: argparse.ArgumentParser) -> None:
    """How events are made of posteriors; by default as in the paper."""
    parser.add_argument(
        "--threshold", type=_probability, metavar="P",
        help="same for all events (default: each event's own, chosen on the development part)",
    )  # fmt: skip
    for name, words in (
        (
            "overlap",
            "clips overlap by so many seconds, at most half a clip, and fade into each "
            "other, so that no border cuts an event",
        ),
        ("merge-gap", "events of one class at most so many seconds apart become one"),
        ("min-duration", "leave out events shorter than so many seconds, after merging"),
    ):
        parser.add_argument(
            f"--{name}", type=_seconds, default=0.0, metavar="S", help=f"{words} (default: 0)"
        )


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", type=_formats, default=DEFAULT_FORMATS, metavar="LIST",
        help=f"forms of the events, separated by commas: {', '.join(FORMATS)} "
        f"(default: {','.join(DEFAULT_FORMATS)})",
    )  # fmt: skip
    parser.add_argument(
        "--page", action="store_true",
        help="also write NAME.html: a page to see and hear what was found",
    )  # fmt: skip
    parser.add_argument("--no-picture", action="store_true", help="do not draw NAME.png")
    parser.add_argument(
        "--skip-existing", action="store_true",
        help="keep results that the same file, students and options have made",
    )  # fmt: skip


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"{text} given, seconds from 0 expected")
    return value


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in FORMATS]:
        raise argparse.ArgumentTypeError(
            f"{','.join(unknown)} given, one or more of {','.join(FORMATS)} expected"
        )
    return names


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} given, a number from 0 to 1 expected")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} given, a whole number from 1 expected")
    return int(text)


def _require_folder(output: Path) -> None:
    """Refuse an output that is a file, before anything is loaded."""
    if output.exists() and not output.is_dir():
        raise ResultError(f"--output {output} is a file; a folder is expected, new or not")


def _newest_detector(runs: Path) -> Path:
    found = sorted(runs.glob("*/detector.safetensors"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ResultError(
            f"there is no detector in {runs}/*/: finish a run, e.g. the demo (make demo), or name "
            "a detector.safetensors with --detector"
        )
    return found[-1]


def _detect_all(recordings: dict[str, Path], given: argparse.Namespace, runs: Path) -> list[str]:
    """Process all recordings and return what was wrong with those that could not be used."""
    # These take seconds to load; --help and a wrong option need not wait for them.
    from softscene.detect import batch  # noqa: PLC0415
    from softscene.detect.facts import rate_fault, write_summaries  # noqa: PLC0415

    batch.log_plainly()
    work = _work(given, runs)
    detector = work.detector()
    about, number = detector.about, len(detector.members)
    work.options.overlap_frames(about.clip_frames, about.hop)
    students = "1 student" if number == 1 else f"the average of {number} students"
    _say(
        f"{work.source}: {students}, {about.variant} of run {about.run}, trained on "
        f"{about.trained_on}"
    )
    if not detector.knows_scenes:
        _say(
            "no scene branch, so scenes.tsv is empty; `detector: METHOD/WEIGHTS` in the "
            "configuration, e.g. soft/alpha-none_beta-1.0_T-1.0, makes a detector of others"
        )
    written = endings(given.format, not given.no_picture, given.page)
    tasks = [
        batch.Task(name, path, {key: given.output / f"{name}{end}" for key, end in written.items()})
        for name, path in recordings.items()
    ]
    done, failed, counter = {}, {}, batch.Counter(tasks)
    try:
        with logging_redirect_tqdm():
            for outcome in batch.detect_all(tasks, work, detector, given.jobs, counter):
                count = counter.finish(outcome)
                if outcome.facts is None:
                    failed[outcome.name] = outcome.problem
                    _say(f"{outcome.name}: not done ({count})", file=sys.stderr)
                else:
                    done[outcome.name] = outcome.facts
                    _say(f"{outcome.name}: {_words(outcome)} ({count})")
        rate = about.features.sample_rate
        if low := sum(bool(rate_fault(facts["rate"], about.features)) for facts in done.values()):
            words = f"a lower sample rate than the detector's {rate} Hz: {low} of them"
            _say(f"{words}; see `reason` in recordings.tsv", file=sys.stderr)
    finally:
        counter.close()
        # What a mistyped name finds, nothing, must not replace what an earlier call has found.
        if done or any(os.path.lexists(recordings[name]) for name in failed):
            write_summaries(done, failed, given.output)
    return [failed[name] for name in recordings if name in failed]


def _work(given: argparse.Namespace, runs: Path) -> Any:
    from softscene.detect.batch import Work  # noqa: PLC0415
    from softscene.detect.events import Options  # noqa: PLC0415

    if given.page:
        from softscene.explorer.own_page import detect_with_page as detect  # noqa: PLC0415
    else:
        from softscene.detect.detection import detect  # noqa: PLC0415
    return Work(
        detect=detect,
        source=given.detector or _newest_detector(runs),
        students=tuple(given.student),
        threads=given.threads,
        device=given.device,
        options=Options(given.threshold, given.overlap, given.merge_gap, given.min_duration),
        skip_existing=given.skip_existing,
    )


def _words(outcome: Any) -> str:
    """A recording's results in short."""
    if outcome.skipped:
        return "skipped, its results are there"
    facts = outcome.facts
    number, seconds = sum(each["count"] for each in facts["events"].values()), facts["seconds"]
    noun = "event" if number == 1 else "events"
    words = [f"{number} {noun} in {seconds:.{1 if seconds >= 1 else 2}f} s"]
    if scenes := facts["scenes"]:
        scene = max(scenes, key=scenes.get)
        words.append(f"scene {scene} ({scenes[scene]:.2f})")
    return ", ".join(words)


if __name__ == "__main__":
    sys.exit(main())
