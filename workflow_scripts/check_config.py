"""Check that configurations are YAML, and print the name of their run: check_config.py FILE ...

make runs this first, because Snakemake does not say which file is not valid YAML, or where.
"""

import re
import sys

from softscene.config.reading import read_yaml
from softscene.core.errors import ConfigurationError


def main(paths: list[str]) -> None:
    """Print the run's name without special characters of the shell; the last file's counts."""
    name = "paper"
    for path in paths:
        try:
            config = read_yaml(path, "configuration")
        except ConfigurationError as error:
            sys.exit(str(error))
        if not isinstance(config, dict):
            sys.exit(f"the configuration {path} has no keys; each line should be `key: value`")
        name = config.get("run", name)
    print(re.sub("[^A-Za-z0-9_-]", "", str(name)))


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit("check_config.py FILE ...: a configuration is missing"))
