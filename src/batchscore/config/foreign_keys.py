"""What to say of an unknown key: the one that was meant, by its name elsewhere or its spelling (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

# Our key, and what pandas, Spark, MLflow, boto3 and Amazon's schema files call it. Case and underscores do not matter.
_CALLED = {
    "delimiter": ("sep", "separator", "field_delimiter"),
    "row_id": ("index_col", "id_column", "id_col", "key_column", "record_annotation_field_name"),
    "target": ("label", "label_column", "label_col", "target_column", "target_col", "target_attribute_name"),
    "passthrough": (
        *("pass_through", "passthrough_columns", "passthrough_columns_set", "keep_columns", "keep_original_columns"),
        *("append_columns", "include_columns", "echo", "join_source"),
    ),
    "rename": ("rename_columns", "aliases", "column_aliases"),
    "multiclass_output": ("output_type", "predicted_label", "inferred_label"),
    "status_column": ("status", "error_column", "reason_column"),
    "null_values": ("na_values", "null_value", "missing_values"),
    "has_header": ("header", "headers", "data_file_contains_header", "contains_header", "include_header"),
    "names": ("col_names", "colnames", "column_names", "header_names", "variable_names"),
    "encoding": ("charset",),
    "trim": ("skipinitialspace", "ignore_leading_white_space", "ignore_trailing_white_space", "strip", "strip_white"),
    "datetime_format": ("date_format", "timestamp_format", "time_format", "date_parser"),
    "decimal": ("dec", "decimal_point", "decimal_mark", "decimal_sep", "decimal_separator"),
    "thousands": ("big_mark", "grouping_mark", "thousands_sep", "thousands_separator", "group_separator"),
    "max_record_bytes": ("max_chars_per_column", "max_line_length", "max_record_size", "field_size_limit"),
    "escape": ("escapechar", "escape_char", "quote_escape"),
    "multiline": ("multi_line", "new_lines_in_values", "line_ends_in_values"),
    "model": ("model_uri", "model_name"),
    "tracking_uri": ("mlflow_tracking_uri",),
    "registry_uri": ("mlflow_registry_uri",),
    "input": (
        *("input_path", "input_uri", "input_data", "path", "paths", "filepath", "filepath_or_buffer", "urlpath"),
        *("input_dir", "input_folder", "folder", "directory", "prefix", "s3_prefix", "file", "files", "source"),
        *("data_location_s3", "input_data_location_s3", "s3_uri"),
    ),
    "include": (
        *("path_glob_filter", "pattern", "patterns", "file_pattern", "filename_pattern", "glob", "glob_pattern"),
        *("include_pattern", "include_patterns", "include_hidden", "hidden", "wildcard", "path_suffix"),
    ),
    "exclude": (
        *("exclude_pattern", "exclude_patterns", "exclusions", "ignore", "ignore_patterns", "ignore_prefixes"),
        *("path_ignore_suffix",),
    ),
    "output": ("output_path", "output_dir", "destination"),
    "id": ("job_id", "batch_id", "batch_prediction_id"),
    "threshold": ("cutoff", "score_threshold", "decision_threshold"),
    "positive_label": ("pos_label", "positive_class"),
    "model_params": ("params", "inference_params", "predict_params", "prediction_params"),
    "invalid_records": ("on_bad_lines", "bad_records"),
    "split_bytes": ("chunksize", "batch_size", "blocksize"),
    "s3.region": ("region", "region_name", "aws_region"),
    "s3.endpoint": ("endpoint", "endpoint_url", "aws_endpoint_url"),
}
_COLUMNS = "the model's signature names the columns that are read"
_TYPES = "the model's signature has the columns' types"
_NEEDLESS = {
    _COLUMNS: ("usecols", "columns", "features", "feature_columns", "feature_names", "excluded_attribute_names"),
    _TYPES: ("dtype", "dtypes", "infer_schema", "parse_dates"),
    "records end in a newline, with or without a carriage return before it": ("lineterminator", "line_sep"),
    "repeated names are read as pandas names them, a and a.1": ("mangle_dupe_cols", "check_names"),
    "the ending of an input's name tells its compression": ("compression",),
    "a folder stands for all that lies below it, and folder/*.csv for one level": (
        *("recursive_file_lookup", "recursive", "recurse"),
    ),
}


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


_MEANT = {_plain(name): key for key, names in _CALLED.items() for name in names}
_REASONS = {_plain(name): reason for reason, names in _NEEDLESS.items() for name in names}


def hint_for(key: str, known_keys: Sequence[str]) -> str:
    """Return how the message of an unknown key goes on; nothing where none of the known ones is near."""
    reason = _REASONS.get(_plain(key))
    if reason:
        return f"; no key is needed: {reason}"
    swapped = [known for known in known_keys if sorted(known) == sorted(key)]  # modle is model, not mode
    foreign = [_MEANT[_plain(key)]] if _plain(key) in _MEANT else []
    near = foreign or swapped or difflib.get_close_matches(key, known_keys, n=1)
    return f"; did you mean {near[0]}?" if near else ""
