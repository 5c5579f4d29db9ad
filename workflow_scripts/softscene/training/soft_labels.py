"""The teacher's logits of each clip, as a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.core.errors import FeatureError, how_to_remake
from softscene.core.tsv import read_table, write_table


def write_soft_labels(
    table: pd.DataFrame, logits: np.ndarray, scenes: Sequence[str], target: str | Path
) -> None:
    """Write logits beside their clips (``clip recording scene start frames logit_<scene> ...``)."""
    columns = {f"logit_{scene}": logits[:, i] for i, scene in enumerate(scenes)}
    keys = ["clip", "recording", "scene", "start", "frames"]
    write_table(table[keys].assign(**columns), target)


def read_soft_labels(
    source: str | Path | Sequence[str | Path], table: pd.DataFrame, scenes: Sequence[str]
) -> np.ndarray:
    """The teacher's logits v for the clips of ``table``, clips x scenes, float32.

    Parameters
    ----------
    source
        A file of all clips, in their order; or several files of some clips each, in any order.
    table
        The clips.
    scenes
        Names of the scenes.

    Raises
    ------
    FeatureError
        The clips are not those of the table, or the logits are not numbers.
    """
    files = [source] if isinstance(source, str | Path) else list(source)
    logits = pd.concat(map(read_table, files), ignore_index=True)
    source, first = ", ".join(map(str, files)), files[0]
    columns = [f"logit_{scene}" for scene in scenes]
    keys = ["clip", "recording", "start"]
    missing = [column for column in [*keys, *columns] if column not in logits.columns]
    if missing:
        raise FeatureError(
            f"{source}: lacks the columns {', '.join(missing)}; {how_to_remake(first)}"
        )
    if len(files) > 1:
        logits = logits.sort_values("clip", ignore_index=True)
    if not logits[keys].equals(table[keys].reset_index(drop=True)):
        raise FeatureError(
            f"{source}: its {len(logits)} clips are not the fold's {len(table)} development clips; "
            + how_to_remake(first)
        )
    values = logits[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32, copy=True)
    if not np.isfinite(values).all():
        clip = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise FeatureError(
            f"{source}: the logits of clip {clip} are not all numbers; {how_to_remake(first)}"
        )
    return values
