"""Scores of students with known differences, for tests of comparisons and claims."""

import numpy as np
import pandas as pd
from softscene.config.variants import Variant

NONE = float("nan")
CRNN = Variant("crnn", "CNN-BiGRU", "none")
LIGHT = Variant("mtl", "MTL", "hard", alpha="0.0001")
HEAVY = Variant("mtl", "MTL", "hard", alpha="1.0")
SOFT = Variant("soft", "Soft", "soft", beta="1.0", temperature="1.0")
SOFT5 = Variant("soft", "Soft", "soft", beta="1.0", temperature="5.0")
FAINT = Variant("soft", "Soft", "soft", beta="0.0001", temperature="1.0")
SHUFFLED = Variant("shuffled", "Shuffled", "soft", beta="1.0", temperature="1.0", labels="shuffled")
FOCAL = Variant("focal", "Focal", "hard", alpha="0.0001", custom=True)
PLACES = [(fold, seed) for fold in (1, 2, 3, 4) for seed in (0, 1, 2)]


def scores_of(means, places=PLACES, noise=0.002, **setting):
    """Scores of variants around their means of the F-score; the error rate is 1 less it.

    Every (fold, seed) has an effect of its own, larger than any difference, that all students of
    it share: only what is paired sees through it.
    """
    random = np.random.default_rng(5)
    shared = dict(zip(places, random.uniform(-0.2, 0.2, len(places)), strict=True))
    rows = []
    for variant, mean in means.items():
        weights = variant.weights
        for place in places:
            f_score = mean + shared[place] + random.normal(0, noise)
            rows.append(
                {"method": variant.name, "fold": place[0], "seed": place[1]}
                | {key: weights.get(key, NONE) for key in ("alpha", "beta", "temperature")}
                | {"convention": "frame", "threshold": "adaptive"}
                | {"f_score": f_score, "error_rate": 1 - f_score}
                | setting
            )
    return pd.DataFrame(rows)


def events_of(means, places=PLACES, noise=0.0, absent=(), **setting):
    """Scores of events: variant -> event -> (F-score, error rate), with noise where F > 0.

    ``absent`` has the (fold, event) in which an event does not occur, so that its F-score is 0.
    """
    random = np.random.default_rng(6)
    rows = []
    for variant, each in means.items():
        weights = variant.weights
        for place in places:
            for event, (f_score, error_rate) in each.items():
                gone = (place[0], event) in absent
                off = random.normal(0, noise) if f_score > 0 else 0.0
                rows.append(
                    {"method": variant.name, "fold": place[0], "seed": place[1], "event": event}
                    | {key: weights.get(key, NONE) for key in ("alpha", "beta", "temperature")}
                    | {"convention": "frame", "threshold": "adaptive"}
                    | {"f_score": 0.0 if gone else f_score + off, "error_rate": error_rate - off}
                    | {"absent": gone}
                    | setting
                )
    return pd.DataFrame(rows)
