"""Scores of students with known differences, for tests of comparisons and claims."""

import numpy as np
import pandas as pd
from softscene.config.study import StudentKind
from softscene.config.variants import Contender

NONE = float("nan")
CRNN = Contender(StudentKind("crnn"), "CNN-BiGRU", "none")
LIGHT = Contender(StudentKind("mtl", alpha="0.0001"), "MTL", "hard")
HEAVY = Contender(StudentKind("mtl", alpha="1.0"), "MTL", "hard")
SOFT = Contender(StudentKind("soft", beta="1.0", temperature="1.0"), "Soft", "soft")
SOFT5 = Contender(StudentKind("soft", beta="1.0", temperature="5.0"), "Soft", "soft")
FAINT = Contender(StudentKind("soft", beta="0.0001", temperature="1.0"), "Soft", "soft")
SHUFFLED = Contender(
    StudentKind("shuffled", beta="1.0", temperature="1.0"), "Shuffled", "soft", "shuffled"
)
FOCAL = Contender(StudentKind("focal", alpha="0.0001"), "Focal", "hard", own=True)
PLACES = [(fold, seed) for fold in (1, 2, 3, 4) for seed in (0, 1, 2)]


def scores_of(means, places=PLACES, noise=0.002, **setting):
    """Scores of contenders around their means of the F-score; the error rate is 1 less it.

    Every (fold, seed) has an effect of its own, larger than any difference, that all students of
    it share: only what is paired sees through it.
    """
    random = np.random.default_rng(5)
    shared = dict(zip(places, random.uniform(-0.2, 0.2, len(places)), strict=True))
    rows = []
    for contender, mean in means.items():
        weights = dict(contender.given)
        for place in places:
            f_score = mean + shared[place] + random.normal(0, noise)
            rows.append(
                {"method": contender.name, "fold": place[0], "seed": place[1]}
                | {key: weights.get(key, NONE) for key in ("alpha", "beta", "temperature")}
                | {"convention": "frame", "threshold": "adaptive"}
                | {"f_score": f_score, "error_rate": 1 - f_score}
                | setting
            )
    return pd.DataFrame(rows)


def events_of(means, places=PLACES, noise=0.0, absent=(), **setting):
    """Scores of events: contender -> event -> (F-score, error rate), with noise where F > 0.

    ``absent`` has the (fold, event) in which an event does not occur, so that its F-score is 0.
    """
    random = np.random.default_rng(6)
    rows = []
    for contender, each in means.items():
        weights = dict(contender.given)
        for place in places:
            for event, (f_score, error_rate) in each.items():
                gone = (place[0], event) in absent
                off = random.normal(0, noise) if f_score > 0 else 0.0
                rows.append(
                    {"method": contender.name, "fold": place[0], "seed": place[1], "event": event}
                    | {key: weights.get(key, NONE) for key in ("alpha", "beta", "temperature")}
                    | {"convention": "frame", "threshold": "adaptive"}
                    | {"f_score": 0.0 if gone else f_score + off, "error_rate": error_rate - off}
                    | {"absent": gone}
                    | setting
                )
    return pd.DataFrame(rows)
