"""How many inputs each property gets: hundreds, always the same, or ten thousand new ones.

``python -m pytest tests/fuzz --hypothesis-profile=long`` is the long run.
"""

from hypothesis import HealthCheck, settings

EITHER = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=300, derandomize=True, **EITHER)
settings.register_profile("long", max_examples=10_000, **EITHER)


def pytest_configure(config):
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("default")
