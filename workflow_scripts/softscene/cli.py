"""The command ``softscene``: the library without the workflow."""

import argparse
import io
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from softscene.core.errors import AudioError, ResultError, SoftSceneError, printable
from softscene.detect.recordings import RESULTS, WITH_PAGE, find_recordings, too_long

PURPOSE = "Find sound events and the scene in recordings of your own, with trained students."
BAR = (
    "{desc}: {percentage:3.0f} %|{bar}| {n:.0f} of {total:.0f} s, {elapsed} gone, {remaining} left"
)
EPILOG = """\
Each recording gets, below the output folder: NAME.events.tsv (onset, offset, event, confidence),
NAME.audacity.txt (in Audacity: File > Import > Labels), NAME.scenes.tsv and NAME.png; with --page
NAME.html, too.
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
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        _require_folder(given.output)
        found = find_recordings(given.recordings)
        _say(*found.foreign, file=sys.stderr)
        detector = _load(given, runs)
        not_done = _detect_all(found.recordings, detector, given)
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
        print(printable(line), file=file)


class _Plain(logging.Formatter):
    """The bare message, like the other output."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n")


def _parser() -> argparse.ArgumentParser:
    program = argparse.ArgumentParser(prog="softscene")
    commands = program.add_subparsers(dest="command", metavar="COMMAND", required=True)
    parser = commands.add_parser(
        "detect", help=PURPOSE, description=PURPOSE, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "recordings", nargs="+", metavar="FILE", type=Path,
        help="a file that soundfile reads (WAV, FLAC, OGG, MP3 ...), or a folder of such files",
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
    parser.add_argument(
        "--threshold", type=_probability, metavar="P",
        help="same for all events (default: each event's own, chosen on the development part)",
    )  # fmt: skip
    parser.add_argument(
        "--page", action="store_true",
        help="also write NAME.html: a page to see and hear what was found",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_positive, default=1, metavar="N",
        help="computing threads; may change the last digits (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto",
        help="auto: CUDA if available (default: %(default)s)",
    )  # fmt: skip
    return program


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


def _load(given: argparse.Namespace, runs: Path) -> Any:
    # These take seconds to load; --help and a wrong option need not wait for them.
    from softscene.detect.detector import load_detector  # noqa: PLC0415
    from softscene.training.runtime import prepare  # noqa: PLC0415

    path = given.detector or _newest_detector(runs)
    device = prepare(given.threads, given.device, "--device")
    detector = load_detector(path, device, given.student)
    about, number = detector.about, len(detector.members)
    students = "1 student" if number == 1 else f"the average of {number} students"
    _say(f"{path}: {students}, {about.variant} of run {about.run}, trained on {about.trained_on}")
    return detector


def _newest_detector(runs: Path) -> Path:
    found = sorted(runs.glob("*/detector.safetensors"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ResultError(
            f"there is no detector in {runs}/*/: finish a run, e.g. the demo (make demo), or name "
            "a detector.safetensors with --detector"
        )
    return found[-1]


def _detect_all(recordings: dict[str, Path], detector: Any, given: argparse.Namespace) -> list[str]:
    """Process all recordings and return what was wrong with those that could not be used."""
    from softscene.detect.detection import detect  # noqa: PLC0415

    if given.page:
        from softscene.explorer.own_page import detect_with_page as detect  # noqa: PLC0415
    problems = []
    for name, path in recordings.items():
        try:
            words = _detect(detect, name, path, detector, given)
        except Exception as error:  # whatever it is, process the others
            problems.append(_reason(name, error))
            _say(f"{name}: not done", file=sys.stderr)
        else:
            _say(f"{name}: {words}")
    return problems


def _reason(name: str, error: Exception) -> str:
    """The message for a failure; for an unexpected one, with its place in the code."""
    if isinstance(error, SoftSceneError):
        return str(error)
    if isinstance(error, OSError):
        return f"{name}: {error}"
    place, words = traceback.extract_tb(error.__traceback__)[-1], str(error).replace("\n", " ")
    return (
        f"{name}: this should not have happened, please report it: {type(error).__name__}: {words} "
        f"({Path(place.filename).name}, line {place.lineno})"
    )


def _detect(
    detect: Callable[..., Any], name: str, path: Path, detector: Any, given: argparse.Namespace
) -> str:
    """Write one recording's results and return a short summary."""
    if fault := too_long(name):
        raise AudioError(f"{path}: {fault}")
    endings = WITH_PAGE if given.page else RESULTS
    results = {key: given.output / f"{name}{ending}" for key, ending in endings.items()}
    bar = tqdm(desc=printable(name), bar_format=BAR, delay=0.1, disable=None, leave=False)
    with bar, logging_redirect_tqdm():

        def advance(seconds: float, total: float) -> None:
            bar.total = total
            bar.update(seconds)

        found = detect(path, detector, results, given.threshold, advance)
    number = len(found.events)
    noun = "event" if number == 1 else "events"
    words = [f"{number} {noun} in {found.seconds:.{1 if found.seconds >= 1 else 2}f} s"]
    if detector.knows_scenes:
        scene = found.scenes.argmax()
        words.append(f"scene {detector.about.scenes[scene]} ({found.scenes[scene]:.2f})")
    return ", ".join(words)


if __name__ == "__main__":
    sys.exit(main())
