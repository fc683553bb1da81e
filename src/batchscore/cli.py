"""The command line: run, verify, describe, list, check, results, report, clean, warm."""

from __future__ import annotations

import argparse
import atexit
import difflib
import gc
import json
import logging
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from batchscore import __version__
from batchscore.commands.config_file import job_config, output_config
from batchscore.commands.results_options import OPTIONS, add_options, taken_id
from batchscore.commands.terminal import ReaderGoneError, is_terminal, names_that_are_no_text, tell
from batchscore.commit.statuses import STATUSES
from batchscore.config.batch_id import check_id
from batchscore.config.job_config import known_keys
from batchscore.environment import process_kept
from batchscore.errors import BatchScoreError, CommitError, InputError, describe_without_content
from batchscore.process import LOG_FORMAT, hide_warnings, signals_as_errors, temporary_folder

_STOPPED, _NOBODY_READS = 130, 141  # as a shell tells SIGINT and SIGPIPE
_COMMANDS = ("run", "verify", "describe", "list", "check", "results", "report", "clean", "warm")
_OPTIONS = (
    *("--config", "--dry-run", "--full", "--json", "--status", "--sample", "--open", "--older-than", "--yes", "--help"),
    *OPTIONS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; see docs/operating.md for the codes."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    fault = _command_fault(given)
    if fault:
        parser.error(fault)
    options, rest = parser.parse_known_args(given)
    if options.command is _warm and (rest or options.config):
        parser.error("command warm: expected nothing but --json after it, got more")
    options.overrides = [*options.overrides, *rest]
    unknown = [argument for argument in options.overrides if argument.startswith("-")]
    if unknown:
        parser.error("; ".join(_option_fault(argument.partition("=")[0]) for argument in unknown))
    atexit.register(gc.freeze)  # an interpreter that ends walks over all libraries, for a second
    with process_kept(), names_that_are_no_text():
        _log_to_stderr()
        hide_warnings()
        return _run_command(options)


def _command_fault(given: Sequence[str]) -> str | None:
    """Say what is wrong with the first argument, if it is neither a command nor an option of this program's own."""
    first = given[0] if given else "none"
    if given and (first in _COMMANDS or first in {"-h", "--help", "--version"}):
        return None
    near = difflib.get_close_matches(first, [*_COMMANDS, "--help", "--version"], 1)
    hint = "a command comes first, such as batchscore verify --config job.yaml; batchscore --help tells of each"
    got = "another" if "://" in first else first
    return f"command: expected {', '.join(_COMMANDS)}, got {got}; {f'did you mean {near[0]}?' if near else hint}"


def _option_fault(option: str) -> str:
    """Say what is wrong with an option that no command has; its value may be a secret."""
    name = option.lstrip("-").replace("-", "_")
    if name in known_keys():
        return f"option {option}: expected an option, got a key of the configuration; write {name}=VALUE"
    near = difflib.get_close_matches(option, _OPTIONS, 1) or [item for item in _OPTIONS if item[1:3] == option]
    hint = f"did you mean {near[0]}?" if near else "--help after a command lists its options"
    return f"option {option}: expected one of this command, got another; {hint}"


def _run_command(options: argparse.Namespace) -> int:
    """Run a command and return its exit code; errors are told on stderr."""
    try:
        code: int = options.command(options)
    except BatchScoreError as error:
        print(f"batchscore: {type(error).__name__}: {error}", file=sys.stderr)
        if error.record:
            _tell_failed(error.record, options)
        return error.exit_code
    except ReaderGoneError:
        return _NOBODY_READS
    except Exception as error:
        traceback.print_tb(error.__traceback__)
        print(f"batchscore: unforeseen {describe_without_content(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"batchscore: {error or 'stopped by Ctrl-C'}", file=sys.stderr)
        return _STOPPED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="batchscore", description="Score CSV with an MLflow model on Spark.")
    parser.add_argument("--version", action="version", version=f"batchscore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=function)
        command.add_argument("--config", metavar="FILE", help="a YAML file, local or s3://")
        command.add_argument("--json", action="store_true", help="print JSON, on a terminal too")
        return command

    run = add("run", _run, "score the inputs of a configuration")
    run.add_argument("--dry-run", action="store_true", help="only verify")
    verify = add("verify", _verify, "check a configuration, its model and its inputs, and print the plan")
    for command in (run, verify):
        command.add_argument("--full", action="store_true", help="verify: read the inputs whole, not a sample")
    describe = add("describe", _describe, "print the record of a batch prediction")
    listing = add("list", _list, "print the records of all batch predictions of an output")
    listing.add_argument("--status", type=str.upper, choices=STATUSES)
    check = add("check", _check, "read the inputs and results of a finished job again and prove that they agree")
    check.add_argument("--sample", type=_sample, metavar="N", help="read N parts, or a fraction of them below 1")
    report = add("report", _report, "make the page of a job anew, from what the job left")
    report.add_argument("--open", action="store_true", help="show it in the browser of this machine")
    clean = add("clean", _clean, "list orphan files, left by jobs that did not finish, and remove them with --yes")
    clean.add_argument("--older-than", metavar="AGE", default="7d", help="such as 36h, 7d (the default) or 2w")
    clean.add_argument("--yes", action="store_true", help="remove what is listed")
    for command in (describe, check, report):
        command.add_argument("id", metavar="ID", help="the id of a batch prediction, or latest: the last that finished")
    results = add(
        "results", _results, "show the predictions of a finished job, choose among them, write them to a file"
    )
    add_options(results)
    warm = add("warm", _warm, "let the next jobs on this machine start sooner; once for a version of Spark and Java")
    warm.set_defaults(overrides=[])
    for command in (run, verify, describe, listing, check, report, clean):
        command.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="a key of the configuration")
    return parser


def _log_to_stderr() -> None:
    logger = logging.getLogger("batchscore")
    logger.setLevel(logging.INFO)
    if all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        logger.addHandler(handler)
        logger.propagate = False


def _run(options: argparse.Namespace) -> int:
    if options.dry_run:
        return _verify(options)
    config = job_config(options.config, options.overrides)
    from batchscore.commands.job_text import render_completed
    from batchscore.commands.run import run_job

    summary = run_job(config)
    check = _command_on("check", summary["BatchPredictionId"], options)
    tell(render_completed(summary, check) if _for_people(options) else json.dumps(summary))
    return 0


def _tell_failed(record: dict[str, Any], options: argparse.Namespace) -> None:
    from batchscore.commands.job_text import render_failed

    describe = _command_on("describe", record["BatchPredictionId"], options)
    with suppress(ReaderGoneError, CommitError):  # the job's own error was told, and decides the exit code
        tell(render_failed(record, describe) if _for_people(options) else json.dumps(record))


def _for_people(options: argparse.Namespace) -> bool:
    """Tell whether a job ends with lines for people: programs read JSON from a pipe, or ask for it."""
    return is_terminal() and not options.json


def _command_on(command: str, batch_id: str, options: argparse.Namespace) -> str:
    """Return a command on a job that was run with some options, to paste into a shell."""
    config = ["--config", options.config] if options.config else []
    places = [argument for argument in options.overrides if argument.startswith(("output=", "s3.", "s3="))]
    return shlex.join(["batchscore", command, batch_id, *config, *places])


def _verify(options: argparse.Namespace) -> int:
    config = job_config(options.config, options.overrides)
    from batchscore.commands.report_text import describe_plan, render_review
    from batchscore.commands.verify import review_job

    with signals_as_errors(), temporary_folder() as folder:
        review = review_job(config, folder, options.full)
    tell(json.dumps(describe_plan(review)) if options.json else render_review(review))
    return review.exit_code


def _describe(options: argparse.Namespace) -> int:
    batch_id = check_id(options.id)
    config = output_config(options.config, options.overrides)
    from batchscore.commands.job_text import render_record
    from batchscore.commit.jobs import found_id, read_record

    record = read_record(config, found_id(config, batch_id))
    tell(json.dumps(record.to_dict()) if options.json else render_record(record))
    return 0


def _list(options: argparse.Namespace) -> int:
    config = output_config(options.config, options.overrides)
    from batchscore.commands.job_text import render_records
    from batchscore.commit.jobs import read_records

    records = [record for record in read_records(config, _passed_over) if options.status in (None, record.Status)]
    tell(json.dumps([record.to_dict() for record in records]) if options.json else render_records(records))
    return 0


def _passed_over(error: InputError) -> None:
    print(f"batchscore: passed over: {error}", file=sys.stderr)


def _sample(text: str) -> float:
    with suppress(ValueError):
        sample = float(text)
        if 0 < sample < 1 or (sample.is_integer() and sample >= 1):
            return sample
    raise argparse.ArgumentTypeError(f"expected a whole number of parts or a fraction below 1, got {text}")


def _check(options: argparse.Namespace) -> int:
    batch_id = check_id(options.id)
    config = output_config(options.config, options.overrides)
    from batchscore.commands.check import check_job
    from batchscore.commands.report_text import describe_check, render_check
    from batchscore.commit.jobs import found_id

    report = check_job(found_id(config, batch_id), config, options.sample)
    tell(json.dumps(describe_check(report)) if options.json else render_check(report))
    report.raise_if_failed()
    return 0


def _results(options: argparse.Namespace) -> int:
    told = taken_id(options)
    config = output_config(options.config, options.overrides)
    batch_id = check_id(told or config.id or "latest")
    from batchscore.commands.results import tell_results

    tell_results(batch_id, config, options)
    return 0


def _report(options: argparse.Namespace) -> int:
    batch_id = check_id(options.id)
    config = output_config(options.config, options.overrides)
    from batchscore.commands.report import remake_report
    from batchscore.commit.jobs import found_id

    uri = remake_report(config, found_id(config, batch_id), to_open=options.open)
    tell(json.dumps({"report": uri}) if options.json else uri)
    return 0


def _clean(options: argparse.Namespace) -> int:
    config = output_config(options.config, options.overrides)
    from batchscore.commands.clean import find_orphan_files, parse_age, remove_orphan_files
    from batchscore.commands.report_text import describe_orphan_files, render_orphan_files

    orphan_files = find_orphan_files(config, parse_age(options.older_than), time.time())
    removed = remove_orphan_files(config, orphan_files) if options.yes else None
    found = orphan_files.objects
    tell(json.dumps(describe_orphan_files(found, removed)) if options.json else render_orphan_files(found, removed))
    return 0


def _warm(options: argparse.Namespace) -> int:
    from batchscore.commands.warm import warm

    with signals_as_errors():
        path = str(warm())
    tell(json.dumps({"classes": path}) if options.json else path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
