"""What the report says about the claims."""

from collections import Counter

import pandas as pd

from softscene.analysis.claims import (
    EVENTS,
    INCONCLUSIVE,
    NEVER_DETECTED,
    OF_TABLE3,
    PER_DECADE,
    READING,
    joint,
)
from softscene.analysis.intervals import AGAINST, bounds_of, of
from softscene.config.variants import Chosen
from softscene.evaluation.tables import headline
from softscene.report.numbers import MISSING, difference, gap, interval, score_name


def answer(claims: pd.DataFrame) -> dict | None:
    """What the first screen says about the paper's main claim; None for the user's own data."""
    rows = headline(claims[claims.claim == OF_TABLE3[0].key])
    if rows.empty:
        return None
    return {
        "verdict": joint(list(rows.verdict)),
        "comparison": rows.comparison.iloc[0],
        "scores": [claim_row(row) for row in rows.itertuples()],
        "reasons": _reasons(rows),
    }


def _reasons(rows: pd.DataFrame) -> list[str]:
    """Reasons of a claim's verdicts: only one if its scores share it."""
    reasons = rows.reason.unique()
    if len(reasons) == 1:
        return list(reasons)
    return [f"{score_name(row.score)}: {row.reason}" for row in rows.itertuples()]


def own_data_answer(compared: pd.DataFrame, chosen: Chosen) -> dict | None:
    """The same for the user's own data: soft labels vs one-hot scenes, better or worse."""
    if chosen.soft is None or chosen.hard is None:
        return None
    rows = of(compared, chosen.soft)
    against = dict(zip(AGAINST, chosen.hard.row, strict=True))
    for column, value in against.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    differences = {row.score: difference(row) for row in rows.itertuples()}
    sides = {each["side"] for each in differences.values()}
    return {
        "verdict": sides.pop() if len(sides) == 1 and "" not in sides else INCONCLUSIVE,
        "comparison": f"{chosen.soft.title} vs {chosen.hard.title}",
        "scores": [
            {
                "score": score_name(score),
                "difference": each["difference"] + " points" * (score == "f_score"),
                "published": MISSING,
                **{key: each[key] for key in ("interval", "fold_interval", "bounds")},
            }
            for score, each in differences.items()
        ],
        "reasons": [],
    }


def counted_pairs(compared: pd.DataFrame) -> dict[str, object]:
    """In how many (fold, seed) methods are compared, and whether folds have more than one seed."""
    if compared.empty:
        return {"pairs": 0, "folds": 0, "seeds": False}
    most = compared.loc[compared.pairs.idxmax()]
    return {
        "pairs": int(most.pairs),
        "folds": int(most.folds),
        "seeds": bool(most.pairs > most.folds),
    }


def claim_list(claims: pd.DataFrame) -> list[dict]:
    """Each claim: its sentence, its verdict in the headline's setting, and all comparisons."""
    found = []
    for (_, text), rows in claims.groupby(["claim", "text"], sort=False):
        own = headline(rows)
        found.append(
            {
                "text": text,
                "reading": own.origin.iloc[0] == READING,
                "comparison": own.comparison.iloc[0],
                "verdict": joint(list(own.verdict)),
                "undetected": _undetected(own),
                "scores": [claim_row(row) for row in own.itertuples()],
                "reason": own.reason.iloc[0] if own.reason.nunique() == 1 else None,
                "rows": [claim_row(row) for row in rows.itertuples()],
            }
        )
    return found


def _undetected(rows: pd.DataFrame) -> bool:
    """Whether a claim is reproduced only because no method detects the event."""
    return bool(rows.reason.str.startswith(NEVER_DETECTED).all())


def claim_row(row: tuple) -> dict:
    kind = EVENTS if row.unit == EVENTS else row.score
    unit = {EVENTS: " events", "f_score": " points"}.get(kind, "")
    unit += " per decade" * (row.unit == PER_DECADE)
    return {
        "score": score_name(row.score),
        "threshold": row.threshold,
        "verdict": row.verdict,
        "reason": row.reason,
        "difference": gap(row.difference, kind) + unit * pd.notna(row.difference),
        "interval": interval(row.low, row.high, kind, signed=True),
        "fold_interval": interval(row.fold_low, row.fold_high, kind, signed=True),
        "bounds": interval(*bounds_of(row), kind, signed=True),
        "published": gap(row.published_difference, kind),
        "pairs": f"{row.pairs} in {row.folds} fold{'s' * (row.folds != 1)}",
    }


def summary(claims: pd.DataFrame) -> str:
    """How many claims have which verdict, in the headline's setting.

    Claims that are reproduced because no method detects the event are told apart: networks that
    have learnt nothing reproduce them.
    """
    each = [
        (joint(list(rows.verdict)), _undetected(rows))
        for _, rows in headline(claims).groupby("claim", sort=False)
    ]
    counts, trivial = Counter(verdict for verdict, _ in each), Counter(each)
    parts = []
    for verdict, count in counts.items():
        never = trivial[verdict, True]
        which = "all" if never == count else never
        note = f" ({which} of them events that no method detects)" if never else ""
        parts.append(f"{count} {verdict}{note}")
    return ", ".join(parts)
