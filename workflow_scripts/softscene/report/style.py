"""What all figures share: look, colours, and how they are saved."""

import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import text_to_path

from softscene.core.files import replacing

mpl.use("agg")  # also if matplotlib was imported before

# Where a font lacks a sign, the next one that has it is used: for Japanese, Chinese, Korean, ...
FONTS = (
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans", "Noto Sans Arabic", "Noto Sans Devanagari",
    "Noto Sans Thai", "Symbola",
)  # fmt: skip
# Okabe and Ito's colours, which colour-blind readers tell apart; markers and dashes do it in grey.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")  # more than colours: no two lines look alike
DASHES = (
    "-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (2.5, 2.5)), (0, (9, 2)),
    (0, (1, 3)), (0, (4, 1, 1, 1, 1, 1)),
)  # fmt: skip
COLUMN = 3.46  # inches, 88 mm
POINTS = 72  # in an inch
SYNTHETIC_TITLE = "Synthetic corpus: not a test of the paper's claim"


def fonts() -> list[str]:
    """The installed of :data:`FONTS`; matplotlib would warn about the others."""
    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS if name in installed]


# For plt.style.context; "default" overrides the user's own matplotlibrc.
STYLE = (
    "default",
    Path(__file__).with_name("softscene.mplstyle"),
    {"font.family": fonts()},
)


def save(figure: Figure, results: Mapping[str, str | Path], synthetic: bool) -> None:
    """Save a figure to every path of results, titled as synthetic if it is, and close it."""
    if synthetic:
        figure.suptitle(SYNTHETIC_TITLE)
    for target in results.values():
        with replacing(target) as partial:
            figure.savefig(partial, metadata=_metadata(Path(target)))
    plt.close(figure)


def _metadata(target: Path) -> dict[str, None]:
    """No dates: the same table gives the same bytes."""
    return {"CreationDate": None} if target.suffix == ".pdf" else {}


def text_width(text: str) -> float:
    """Width of a line of text in the style's font, points."""
    return text_to_path.get_text_width_height_descent(text, FontProperties(), ismath=False)[0]


def wrapped(text: str, width: float) -> str:
    """Break a text into lines of at most ``width`` points, between words if possible.

    ``T = 1`` is one word.
    """
    lines = [""]
    for word in re.split("(?<!=) (?!=)", text):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if text_width(joined) <= width:
            lines[-1] = joined
            continue
        lines += [""] * bool(lines[-1])
        for sign in word:
            if lines[-1] and text_width(lines[-1] + sign) > width:
                lines.append("")
            lines[-1] += sign
    return "\n".join(lines)
