"""What all figures share: look, colours, and how they are written."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from softscene.core.files import replacing

mpl.use("agg")  # where another program has imported matplotlib first

# For plt.style.context: what the user's own matplotlibrc says counts for nothing.
STYLE = ("default", Path(__file__).with_name("softscene.mplstyle"))
# Okabe and Ito's colours, which colour-blind readers tell apart; markers and dashes do it in grey.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")  # more than colours: no two lines look alike
LEVEL = "#555555"
SYNTHETIC_TITLE = "Synthetic corpus: not a test of the paper's claim"


def save(figure: Figure, results: Mapping[str, str | Path], synthetic: bool) -> None:
    """Write a figure to every path of results, called synthetic where it is, and close it."""
    if synthetic:
        figure.suptitle(SYNTHETIC_TITLE, fontsize=7.5)
    for target in results.values():
        with replacing(target) as partial:
            figure.savefig(partial, metadata=_metadata(Path(target)))
    plt.close(figure)


def _metadata(target: Path) -> dict[str, None]:
    """No dates: the same table gives the same bytes."""
    return {"CreationDate": None} if target.suffix == ".pdf" else {}
