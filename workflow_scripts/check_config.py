"""Check that a configuration is YAML, and print the name of its run: check_config.py FILE.

Snakemake says that a file is no YAML, but not which file or where. make asks here first.
"""

import re
import sys

from softscene.config.reading import read_yaml
from softscene.core.errors import ConfigurationError


def main(path: str) -> None:
    """Print the run's name without anything that a shell would act on."""
    try:
        config = read_yaml(path, "configuration")
    except ConfigurationError as error:
        sys.exit(str(error))
    if not isinstance(config, dict):
        sys.exit(f"the configuration {path} has no keys; each line should be `key: value`")
    print(re.sub("[^A-Za-z0-9_-]", "", str(config.get("run", "paper"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
