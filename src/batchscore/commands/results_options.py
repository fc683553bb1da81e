"""The options of ``batchscore results``, and what its arguments without a name mean."""

from __future__ import annotations

import argparse
import csv

OPTIONS = ("--top", "--bottom", "--by", "--where", "--columns", "--threshold", "--positions", "--format", "--to")


def add_options(results: argparse.ArgumentParser) -> None:
    """Add the options of the command; the id is among its overrides, see ``taken_id``."""
    results.add_argument("--top", type=_count, metavar="N", help="the N highest scores, the highest first")
    results.add_argument("--bottom", type=_count, metavar="N", help="the N lowest scores, the lowest first")
    results.add_argument("--by", metavar="NAME", help="the class, or of several scores the one, that --top goes by")
    results.add_argument("--where", metavar="SQL", help="a condition: \"score >= 0.8 and plan = 'gold'\"")
    results.add_argument("--columns", type=_names, metavar="A,B", help="these columns, in this order")
    results.add_argument("--threshold", type=float, metavar="T", help="bestAnswer by another threshold")
    results.add_argument("--positions", action="store_true", help="with input and row: where each record stands")
    results.add_argument("--format", choices=("csv", "json", "parquet"), help="csv in a pipe unless told otherwise")
    results.add_argument("--to", metavar="FILE", help="a file, local or s3://, whose ending tells the format")
    results.add_argument(
        "overrides",
        nargs="*",
        metavar="ID key=value",
        help="the key id, or else latest, unless an id is given; and keys",
    )


def taken_id(options: argparse.Namespace) -> str | None:
    """Take the id from among the arguments, None if there is none; the rest are keys of the configuration.

    An id holds no ``=``. What is named as a configuration is left, to be told as with other commands.
    """
    ids = [item for item in options.overrides if "=" not in item and not item.endswith((".yaml", ".yml"))]
    options.overrides = [item for item in options.overrides if item not in ids[:1]]
    return ids[0] if ids else None


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number of records from 1, got {text}")


def _names(text: str) -> list[str]:
    """Return names with commas between them; one that holds a comma is in double quotes."""
    return next(csv.reader([text], skipinitialspace=True), [])
