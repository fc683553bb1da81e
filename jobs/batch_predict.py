"""The entry for spark-submit: the same as ``batchscore run``."""

import sys

from batchscore.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
