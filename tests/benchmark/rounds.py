"""Measure in rounds until a time is used, so that a slow or busy machine ends in time, too."""

import time


class Budget:
    """Seconds that may be used, from now on."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    @property
    def left(self):
        return self.end - time.monotonic()


def in_rounds(groups, measure, budget, most):
    """Measure groups by turns, at most so many rounds.

    ``measure`` gets a group and the seconds that its process should take. After the first round, a
    group is measured if there is time for what it took before.

    Returns
    -------
    list, list
        What was measured, and the groups that were not: the time was used in the first round.
    """
    found, took = [], {}
    for number in range(most):
        before = len(found)
        for place, group in enumerate(groups):
            left = budget.left
            if left <= (took.get(place, 0) if number else 0):
                continue
            start = time.monotonic()
            found.append(measure(group, left / (len(groups) - place)))
            took[place] = time.monotonic() - start
        if len(found) == before:
            break
    return found, [group for place, group in enumerate(groups) if place not in took]
