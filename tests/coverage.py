"""How often intervals of 95 % hold what they are of: `python -m tests.coverage` prints docs' table.

Values are a true difference, an effect of the fold, and one of (fold, seed), all normal. Two things
are asked of them: the mean of these folds' own effects, as of other initialisations; and the true
difference, as of other recordings.
"""

from collections.abc import Iterator

import numpy as np
from softscene.analysis.intervals import CONFIDENCE, estimate

TRUTH = 0.3
# Folds, seeds, and the spread of folds in that of seeds; 4 x 3 is the paper's study.
STUDIES = [(4, 3, spread) for spread in (0.0, 0.5, 1.0, 2.0)] + [
    (*size, spread)
    for size in ((4, 10), (4, 2), (3, 2), (2, 2), (1, 3), (4, 1), (3, 1))
    for spread in (0.0, 2.0)
]
NAMES = ("within folds", "bootstrap over pairs", "over folds")


def studies(folds: int, seeds: int, spread: float, number: int, seed: int) -> Iterator[tuple]:
    """Simulated studies: values, folds x seeds, and the true mean on these folds."""
    random = np.random.default_rng(seed)
    for _ in range(number):
        effects = TRUTH + random.normal(0, spread, folds) if spread else np.full(folds, TRUTH)
        yield effects[:, None] + random.normal(0, 1, (folds, seeds)), effects.mean()


def bootstrap(values: np.ndarray, random: np.random.Generator, resamples: int) -> tuple:
    """Percentile bootstrap over all pairs."""
    drawn = random.choice(values.ravel(), (resamples, values.size)).mean(axis=1)
    return tuple(np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))


def coverage(
    folds: int, seeds: int, spread: float, number: int, resamples: int = 500, seed: int = 1
) -> dict[tuple[str, str], float]:
    """Share of studies whose interval holds what is asked: (interval, question) -> share.

    Intervals are :data:`NAMES`; questions ``seeds`` and ``folds``. NaN where there is no interval.
    """
    random = np.random.default_rng(seed + 1)
    held = dict.fromkeys([(name, asked) for name in NAMES for asked in ("seeds", "folds")], 0.0)
    place = np.repeat(np.arange(folds), seeds)
    for values, here in studies(folds, seeds, spread, number, seed):
        found = estimate(values.ravel(), place)
        bounds = {
            NAMES[0]: (found.low, found.high),
            NAMES[1]: bootstrap(values, random, resamples) if resamples else (np.nan, np.nan),
            NAMES[2]: (found.fold_low, found.fold_high),
        }
        for name, (low, high) in bounds.items():
            for asked, truth in (("seeds", here), ("folds", TRUTH)):
                held[name, asked] += np.nan if np.isnan(low) else (low <= truth <= high) / number
    return held


def main(number: int = 10_000) -> None:
    """Print the table of docs/method.md."""
    columns = [(name, asked) for asked in ("seeds", "folds") for name in NAMES]
    heads = ["folds x seeds", "spread of folds in that of seeds", *NAMES, *NAMES]
    heads[2], heads[2 + len(NAMES)] = f"initialisations: {NAMES[0]}", f"recordings: {NAMES[0]}"
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for place, (folds, seeds, spread) in enumerate(STUDIES):
        found = coverage(folds, seeds, spread, number, seed=2 * place)
        cells = ["" if np.isnan(found[each]) else f"{100 * found[each]:.1f}" for each in columns]
        print(f"| {folds} x {seeds} | {spread:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
