"""Find sound events and the scene in recordings of your own, with trained students."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softscene.errors import ResultError, SoftSceneError
from softscene.recordings import RESULTS, find_recordings
from tqdm import tqdm

RUNS = Path(__file__).parents[1] / "results"
BAR = (
    "{desc}: {percentage:3.0f} %|{bar}| {n:.0f} of {total:.0f} s, {elapsed} gone, {remaining} left"
)
EPILOG = """\
Each recording gets, below the output folder: NAME.events.tsv (onset, offset, event, confidence),
NAME.audacity.txt (in Audacity: File > Import > Labels), NAME.scenes.tsv and NAME.png.
Exit code: 0, or 1 if a recording could not be used. docs/own-recordings.md says more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    given = _parser().parse_args(arguments)
    try:
        _require_folder(given.output)
        recordings = find_recordings(given.recordings)
        detector = _load(given)
        problems = _detect_all(recordings, detector, given)
    except (SoftSceneError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return 130
    done = len(recordings) - len(problems)
    print(f"{done} of {len(recordings)} recordings done; see {given.output}")
    if problems:
        print("not done:", *problems, sep="\n  ", file=sys.stderr)
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
        help="use this student alone, e.g. fold-1_seed-0; again for the average of several "
        "(default: the average of all in the detector)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=_probability, metavar="P",
        help="of all events (default: each event's own, chosen on the development part)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_positive, default=1, metavar="N",
        help="of the computation; may change the last digits (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto",
        help="auto: CUDA where there is one (default: %(default)s)",
    )  # fmt: skip
    return parser


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
    """Refuse what can be no folder of results, before anything is loaded."""
    if output.exists() and not output.is_dir():
        raise ResultError(f"--output {output} is a file; a folder is expected, new or not")


def _load(given: argparse.Namespace) -> Any:
    # These take seconds to load, which --help and a wrong option need not wait for.
    from softscene.detector import load_detector  # noqa: PLC0415
    from softscene.runtime import prepare  # noqa: PLC0415

    path = given.detector or _newest_detector()
    detector = load_detector(path, prepare(given.threads, given.device), given.student)
    about, number = detector.about, len(detector.members)
    students = "1 student" if number == 1 else f"the average of {number} students"
    print(f"{path}: {students}, {about.kind} of run {about.run}, trained on {about.trained_on}")
    return detector


def _newest_detector() -> Path:
    found = sorted(RUNS.glob("*/detector.safetensors"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ResultError(
            f"there is no detector in {RUNS}/*/: finish a run, e.g. the demo (make demo), or name "
            "a detector.safetensors with --detector"
        )
    return found[-1]


def _detect_all(recordings: dict[str, Path], detector: Any, given: argparse.Namespace) -> list[str]:
    """Go through all recordings; gives what was wrong with those that could not be used."""
    problems = []
    for name, path in recordings.items():
        try:
            print(f"{name}: {_detect(name, path, detector, given)}")
        except (SoftSceneError, OSError) as error:
            problems.append(str(error))
            print(f"{name}: not done", file=sys.stderr)
    return problems


def _detect(name: str, path: Path, detector: Any, given: argparse.Namespace) -> str:
    """Write one recording's results; gives them in a few words."""
    from softscene.detection import detect  # noqa: PLC0415

    results = {key: given.output / f"{name}{ending}" for key, ending in RESULTS.items()}
    with tqdm(desc=name, bar_format=BAR, delay=0.1, disable=None, leave=False) as bar:

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
