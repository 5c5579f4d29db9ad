"""Tables of steps: a row for each case, for files and for people."""

import pandas as pd

FOLD = 763  # clips of a fold's development part, on the average
EPOCHS = 300
CASE = ["kind", "trainer", "precision", "threads", "batch", "device"]


def summary(steps):
    """A row for each case: medians of its steps, quartiles, peak memory."""
    groups = steps.groupby(CASE, sort=False)
    table = groups["seconds"].quantile([0.25, 0.5, 0.75]).unstack()
    table.columns = ["lower_quartile", "seconds", "upper_quartile"]
    table["processor_seconds"] = groups["processor_seconds"].median()
    table["peak_bytes"] = groups["peak_bytes"].median().astype(int)
    table["steps"] = groups.size()
    if "epoch_seconds" in steps:
        table["epoch_seconds"] = groups["epoch_seconds"].median()
    table = table.reset_index()
    if "epoch_seconds" not in table:
        table["epoch_seconds"] = table["seconds"] * FOLD / table["batch"]
    return table


def ratios(table, column, precision=None):
    """How many times more the plain trainer has of it: in the same or in this precision."""
    key = ["kind", "precision", "threads"]
    plain = table[table.trainer == "reference"].drop_duplicates(key).set_index(key)[column]
    wanted = table[key] if precision is None else table[key].assign(precision=precision)
    return plain.reindex(pd.MultiIndex.from_frame(wanted)).to_numpy() / table[column]


def readable(table):
    """Of a CPU: wall and processor seconds, and ratios of both."""
    columns = {
        "s a step": shown(table.seconds, ".2f"),
        "CPU s a step": shown(table.processor_seconds, ".2f"),
        "s an epoch": shown(table.epoch_seconds, ".1f"),
        "peak GB": shown(table.peak_bytes / 1e9, ".2f"),
        "times faster": shown(ratios(table, "seconds"), ".2f"),
        "in CPU s": shown(ratios(table, "processor_seconds"), ".2f"),
        "memory": shown(1 / ratios(table, "peak_bytes"), ".2f"),
        "steps": table.steps,
    }
    narrow = {"than in float32": shown(ratios(table, "processor_seconds", "float32"), ".2f")}
    more = narrow if table.precision.nunique() > 1 else {}
    return table[["kind", "trainer", "precision", "threads"]].assign(**columns, **more)


def readable_gpu(table):
    """Of a GPU: a step, a whole training, memory."""
    columns = {
        "ms a step": shown(1e3 * table.seconds, ".1f"),
        "CPU ms": shown(1e3 * table.processor_seconds, ".1f"),
        "times faster": shown(ratios(table, "seconds"), ".2f"),
        "than in float32": shown(ratios(table, "seconds", "float32"), ".2f"),
        "s an epoch": shown(table.epoch_seconds, ".2f"),
        f"min for {EPOCHS}": shown(table.epoch_seconds * EPOCHS / 60, ".1f"),
        "peak GB": shown(table.peak_bytes / 1e9, ".2f"),
        "memory": shown(1 / ratios(table, "peak_bytes"), ".2f"),
    }
    return table[["kind", "trainer", "precision"]].assign(**columns)


def shown(column, digits):
    """Numbers as text; empty where there is none."""
    return column.map(lambda value: "" if pd.isna(value) else format(value, digits))


def markdown(table):
    """For the terminal and the page."""
    return table.to_markdown(index=False, disable_numparse=True)
