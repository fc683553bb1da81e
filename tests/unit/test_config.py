from pathlib import Path

import pytest

from batchscore.config.job_config import JobConfig, load_config, load_output_config, parse_overrides
from batchscore.errors import ConfigError

MINIMAL = "{model: 'models:/m/1', input: s3://b/in/, output: s3://b/out}"


def config_of(*overrides: str) -> JobConfig:
    return load_config(MINIMAL, overrides)


def faults_of(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(*overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_model_input_and_output_are_all_that_is_needed() -> None:
    config = config_of()
    assert config.input == ("s3://b/in/",)
    assert (config.layout, config.invalid_records, config.precision) == ("parts", "auto", "amazon")
    assert (config.delimiter, config.encoding, config.has_header) == (",", "utf-8", None)
    assert (config.max_invalid_records, config.max_invalid_fraction) == (10_000, 0.5)
    assert config.split_bytes == 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("asked", "layout", "in_force"),
    [
        *(("auto", "parts", "keep_tag"), ("auto", "amazon", "blank"), ("blank", "parts", "blank")),
        *(("blank", "amazon", "blank"), ("keep_tag", "parts", "keep_tag"), ("keep_tag", "amazon", "keep_tag")),
    ],
)
def test_auto_keeps_invalid_records_in_parts_and_blanks_them_in_amazons_layout(
    asked: str, layout: str, in_force: str
) -> None:
    assert config_of(f"invalid_records={asked}", f"layout={layout}").invalid_records_in_force == in_force


def test_row_id_and_target_are_texts() -> None:
    config = config_of("row_id=007", "target=no")
    assert (config.row_id, config.target) == ("007", "no")
    assert (config_of().row_id, config_of("target=").target) == (None, None)
    with pytest.raises(ConfigError, match="key row_id: expected the name of a column"):
        load_config(f"{MINIMAL[:-1]}, row_id: ''}}")


@pytest.mark.parametrize(
    ("told", "passed"),
    [
        *(("all", "all"), ("[all]", ("all",)), ("plan", ("plan",)), ("[a, no, 1.50]", ("a", "no", "1.50"))),
        *(('"a, b"', ("a, b",)), ("[]", ()), ("", ())),
    ],
)
def test_columns_are_passed_by_their_names_as_written_or_by_the_word_all(told: str, passed: object) -> None:
    assert load_config(f"{MINIMAL[:-1]}, passthrough: {told}}}").passthrough == passed
    assert config_of("passthrough=all").passthrough == "all"
    assert config_of("passthrough=[a b,c]").passthrough == ("a b", "c")


@pytest.mark.parametrize("told", ["['']", "[a, [b]]", "{a: b}", "[a, null]", "''"])
def test_what_is_no_list_of_columns_is_refused(told: str) -> None:
    with pytest.raises(ConfigError, match=r"^key passthrough: expected all, or a list of the names of columns"):
        load_config(f"{MINIMAL[:-1]}, passthrough: {told}}}")


def test_a_column_is_passed_once_and_renamed_to_a_name_on_one_line() -> None:
    assert faults_of("passthrough=[a,b,a]") == "key passthrough: expected each name once, got twice: a"
    assert load_config(f"{MINIMAL[:-1]}, rename: {{1: x, a.b: no}}}}").rename == {"1": "x", "a.b": "no"}
    assert config_of("rename.a.b=x", "rename.c=2").rename == {"a.b": "x", "c": "2"}
    for wrong in ('""', r'"x\ny"', r'"\r"'):
        with pytest.raises(ConfigError, match="key rename: expected a name without line ends for each column, got "):
            load_config(f"{MINIMAL[:-1]}, rename: {{a: {wrong}}}}}")


@pytest.mark.parametrize(
    ("layout", "asked", "in_force"),
    [("amazon", "auto", "keep_tag"), ("parts", "auto", "keep_tag"), ("amazon", "keep_tag", "keep_tag")],
)
def test_with_a_status_column_the_lines_of_invalid_records_are_kept(layout: str, asked: str, in_force: str) -> None:
    config = config_of("status_column=true", f"layout={layout}", f"invalid_records={asked}")
    assert config.invalid_records_in_force == in_force
    told = faults_of("status_column=true", f"layout={layout}", "invalid_records=blank")
    assert told.startswith(
        "key status_column: expected false where invalid_records is blank, since a blank line has no"
    )


def test_every_fault_is_told_at_once_with_the_nearest_known_key() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("{modle: x, output: s3://b, thresold: 1, s3: {regoin: x}, layout: rows, threshold: 2}")
    message = str(caught.value)
    for part in (
        "key model: expected a value, got none",
        "key input: expected a value, got none",
        "key modle: expected a known key; did you mean model?",
        "key thresold: expected a known key; did you mean threshold?",
        "key s3.regoin: expected a known key; did you mean s3.region?",
        "key layout: input should be 'parts' or 'amazon', got 'rows'",
        "key threshold: input should be less than or equal to 1, got 2",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *(("na_values", "null_values"), ("nullValue", "null_values"), ("sep", "delimiter"), ("header", "has_header")),
        *(("passthroughColumns", "passthrough"), ("keep_original_columns", "passthrough"), ("aliases", "rename")),
        *(("col_names", "names"), ("colNames", "names"), ("column_names", "names"), ("includeHeader", "has_header")),
        *(("index_col", "row_id"), ("id_column", "row_id"), ("idColumn", "row_id"), ("rowId", "row_id")),
        *(("label", "target"), ("target_column", "target"), ("targetAttributeName", "target"), ("model_uri", "model")),
        *(("region", "s3.region"), ("endpoint_url", "s3.endpoint"), ("s3.endpoint_url", "s3.endpoint")),
        *(("path", "input"), ("paths", "input"), ("prefix", "input"), ("filepath_or_buffer", "input")),
        *(("pattern", "include"), ("pathGlobFilter", "include"), ("glob", "include"), ("file_pattern", "include")),
        *(("ignore_patterns", "exclude"), ("includes", "include"), ("excludes", "exclude")),
        *(
            ("skipinitialspace", "trim"),
            ("date_format", "datetime_format"),
            ("timestampFormat", "datetime_format"),
            ("dec", "decimal"),
            ("decimal_point", "decimal"),
            ("bigMark", "thousands"),
            ("thousand", "thousands"),
        ),
        *(
            ("row-id", "row_id"),
            ("taget", "target"),
            ("input_path", "input"),
            ("chunksize", "split_bytes"),
            ("multiLine", "multiline"),
            ("maxCharsPerColumn", "max_record_bytes"),
            ("escapechar", "escape"),
        ),
    ],
)
def test_a_key_of_another_program_is_told_by_our_name(key: str, meant: str) -> None:
    assert faults_of(f"{key}=x") == f"key {key}: expected a known key; did you mean {meant}?"


@pytest.mark.parametrize("key", ["usecols", "columns", "feature_names", "dtype", "inferSchema", "compression"])
def test_a_key_of_another_program_that_is_not_needed_is_told_why(key: str) -> None:
    assert faults_of(f"{key}=x").startswith(f"key {key}: expected a known key; no key is needed: the ")


@pytest.mark.parametrize("key", ["recursiveFileLookup", "recursive"])
def test_that_folders_are_read_whole_is_told_for_a_key_that_asks_for_it(key: str) -> None:
    assert faults_of(f"{key}=true") == (
        f"key {key}: expected a known key; no key is needed: a folder stands for all that lies below it, and "
        "folder/*.csv for one level"
    )


def test_no_key_is_needed_for_repeated_names() -> None:
    told = "key mangle_dupe_cols: expected a known key; no key is needed: repeated names are read as pandas names them"
    assert faults_of("mangle_dupe_cols=true").startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        *("redact: 2024-13-45", "redact: 0x_", "redact: 0b_", "name: !!bool x", "name: !!int x", "name: !!float ''"),
        *("name: !!timestamp x", "name: !!int '-'", "[" * 5000, "name: \0", "name: !!python/name:os.system"),
        *("s3: &a {region: x}\nspark: {<<: *a}", "{[a]: b}", "s3: {{a: b}: c}"),
    ],
)
def test_values_that_are_none_in_yaml_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="configuration: expected YAML, got a syntax error"):
        load_config(text)


@pytest.mark.parametrize("value", ["0x_", "2024-13-45", "!!bool x", "[", "!!float ''"])
def test_an_argument_that_is_none_in_yaml_is_refused(value: str) -> None:
    assert "argument threshold: expected a YAML value" in faults_of(f"threshold={value}")


def test_an_argument_for_a_key_of_what_is_no_section_is_refused() -> None:
    assert "argument s3.region: expected s3 to be set by its keys alone" in faults_of("s3=5", "s3.region=x")
    assert "argument spark.x: expected spark to be set by its keys alone" in faults_of("spark=5", "spark.x=1")


def test_a_key_of_any_length_is_told_in_one_line() -> None:
    assert len(faults_of(f"{'a' * 100_000}=1")) < 300


def test_spark_settings_that_are_no_scalars_are_refused() -> None:
    text = "{model: 'models:/m/1', input: a, output: b, spark: {spark.a: [1]}}"
    with pytest.raises(ConfigError, match=r"key spark\.spark\.a: input should be a valid string"):
        load_config(text)


@pytest.mark.parametrize("text", ["a: [", "- 1", "just text"])
def test_what_is_no_mapping_in_yaml_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"configuration: expected (YAML|keys with values)"):
        load_config(text)


@pytest.mark.parametrize("line", ["s3: &a {region: *a}", "spark: &a {spark.b: *a}", "banana: &a {b: *a}"])
def test_a_mapping_that_holds_itself_is_a_fault_of_its_key(line: str) -> None:
    with pytest.raises(ConfigError, match=f"key {line.partition(':')[0]}"):
        load_config(f"model: models:/m/1\ninput: a\noutput: b\n{line}")


def test_a_key_without_a_value_has_its_default() -> None:
    assert load_config("{model: 'models:/m/1', input: a, output: b, threshold: , encoding: }").encoding == "utf-8"


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("id=20240101", "id", "20240101"),
        ("id=2024-01-01", "id", "2024-01-01"),
        ("name=no", "name", "no"),
        ("positive_label=no", "positive_label", "no"),
        ("positive_label=010", "positive_label", "010"),
        ("delimiter=;", "delimiter", ";"),
        ("decimal=,", "decimal", ","),
        ("thousands= ", "thousands", " "),
        ("delimiter=\\t", "delimiter", "\t"),
        ("exclude=*.txt", "exclude", ("*.txt",)),
        ("include=[_*, .*]", "include", ("_*", ".*")),
        ("input=s3://b/in/*.csv", "input", ("s3://b/in/*.csv",)),
        ("exclude=[a, b]", "exclude", ("a", "b")),
        ("input=[s3://b/x.csv, s3a://b/y.csv]", "input", ("s3://b/x.csv", "s3://b/y.csv")),
        ("threshold=0.25", "threshold", 0.25),
        ("redact=true", "redact", True),
        ("split_bytes=1MiB", "split_bytes", 1024 * 1024),
        ("max_record_bytes=8MiB", "max_record_bytes", 8 * 1024 * 1024),
        ("encoding=latin-1", "encoding", "iso8859-1"),
        ("encoding=UTF8", "encoding", "utf-8"),
        ("threshold=", "threshold", None),
    ],
)
def test_an_override_is_read_as_it_is_meant(override: str, key: str, value: object) -> None:
    assert getattr(config_of(override), key) == value


def test_overrides_reach_into_sections() -> None:
    config = config_of("s3.region=eu-west-1", "s3.requester_pays=true", "spark.master=local[2]", "spark.spark.x=1")
    assert (config.s3.region, config.s3.requester_pays) == ("eu-west-1", True)
    assert config.spark == {"spark.master": "local[2]", "spark.x": "1"}


def written(*lines: str) -> JobConfig:
    return load_config("\n".join(["model: models:/m/1", "input: a", "output: b", *lines]))


TEXTS = ["20261123", "2026-11-23", "1_000", "0x10", "010", "1e5", "1.0", "no", "true", "Off", "1:30", ".5", "="]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("key", ["name", "positive_label", "prediction_column"])
def test_a_text_of_yaml_is_what_is_written(key: str, text: str) -> None:
    assert getattr(written(f"{key}: {text}"), key) == text
    assert getattr(written(f"{key}: '{text}'"), key) == text
    assert getattr(written(f"{key}: &anchor {text}", "s3: {region: *anchor}"), key) == text
    assert getattr(config_of(f"{key}={text}"), key) == text


def test_every_key_of_text_is_what_is_written() -> None:
    config = written(
        *(
            "id: 2026-11-23",
            "allow_version_mismatch: [no, 010]",
            "exclude: [2024-01-01, 1_000, ~x, no]",
            "encoding: 1252",
        ),
        *(
            "s3: {region: 0x10, kms_key_id: 1e5, expected_bucket_owner: 012345678901}",
            "spark: {spark.a: 1e3, spark.b: 010}",
        ),
    )
    assert config.id == "2026-11-23"
    assert config.allow_version_mismatch == ("no", "010")
    assert config.exclude == ("2024-01-01", "1_000", "~x", "no")
    assert config.encoding == "cp1252"
    assert (config.s3.region, config.s3.kms_key_id) == ("0x10", "1e5")
    assert config.s3.expected_bucket_owner == "012345678901"
    assert config.spark == {"spark.a": "1e3", "spark.b": "010"}
    assert written("exclude: 010").exclude == ("010",)
    assert config_of("exclude=[no, 010]", "input=[1_000, 2024-01-01]").exclude == ("no", "010")


def test_a_uri_of_a_date_is_a_path_and_no_date() -> None:
    config = load_config("{model: 'models:/m/1', input: [2024-01-01, 010/], output: 2024-01-02}")
    assert [uri.rsplit("/", 1)[-1] or uri.rsplit("/", 2)[-2] for uri in config.input] == ["2024-01-01", "010"]
    assert config.output.endswith("/2024-01-02")


def test_what_is_no_text_is_read_as_yaml() -> None:
    config = written("redact: yes", "max_invalid_records: 1_000", "threshold: 0.5", "s3: {requester_pays: on}")
    assert (config.redact, config.max_invalid_records, config.threshold) == (True, 1000, 0.5)
    assert config.s3.requester_pays


@pytest.mark.parametrize("none", ["~", "null", "Null", "", "!!null ''"])
def test_a_key_of_text_without_a_value_has_its_default(none: str) -> None:
    config = written(f"delimiter: {none}", f"name: {none}", f"s3: {{region: {none}, requester_pays: {none}}}")
    assert (config.delimiter, config.name, config.s3.region, config.s3.requester_pays) == (",", None, None, False)
    assert written("delimiter: '~'").delimiter == "~"


def test_a_key_without_a_value_among_the_arguments_takes_the_file_s_back() -> None:
    text = f"{MINIMAL[:-1]}, s3: {{region: x, requester_pays: true}}, spark: {{spark.a: x}}}}"
    config = load_config(text, ["s3.region=", "s3.requester_pays=", "spark.a="])
    assert (config.s3.region, config.s3.requester_pays, config.spark) == (None, False, {})


def test_a_list_without_texts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"key exclude\.0: input should be a valid string"):
        written("exclude: [~]")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["id: a", "name: x", "id: b"], "key id: expected it once, got it at lines 4 and 6"),
        (["id: a", '"id": a'], "key id: expected it once, got it at lines 4 and 5"),
        (["id: a", "id:", "id: ~"], "key id: expected it once, got it at lines 4, 5 and 6"),
        (["model: models:/m/2"], "key model: expected it once, got it at lines 1 and 4"),
        (["s3:", "  region: a", "  region: b"], "key s3.region: expected it once, got it at lines 5 and 6"),
        (["s3: {region: a}", "s3: {endpoint: b}"], "key s3: expected it once, got it at lines 4 and 5"),
        (["spark: {spark.a: 1}", "spark:", "  spark.b: 2"], "key spark: expected it once, got it at lines 4 and 5"),
        (["spark: {spark.a: 1, 'spark.a': 1}"], "key spark.spark.a: expected it once, got it at lines 4 and 4"),
        (["exclude: [{a: 1, a: 2}]"], "key exclude.a: expected it once, got it at lines 4 and 4"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_its_lines(lines: list[str], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(*lines)
    assert fault in str(caught.value)


def test_keys_that_are_given_twice_are_told_with_all_other_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        written("id: a", "id: b", "threshold: 2", "s3: {region: a, region: a}")
    assert str(caught.value).splitlines()[0] == "3 faults:"
    for fault in ("key id: expected it once", "key s3.region: expected it once", "key threshold: input should be"):
        assert fault in str(caught.value)


def test_a_key_that_is_given_twice_is_refused_where_only_the_output_is_read() -> None:
    with pytest.raises(ConfigError, match="key output: expected it once, got it at lines 1 and 2"):
        load_output_config("output: a\noutput: b")


def test_a_key_that_an_argument_gives_twice_is_refused() -> None:
    fault = "argument s3: key region: expected it once, got it at lines 1 and 1"
    assert fault in faults_of("s3={region: a, region: b}")


def test_spark_settings_of_yaml_become_text() -> None:
    text = "{model: 'models:/m/1', input: a, output: b, spark: {spark.a: true, spark.b: 2}}"
    assert load_config(text).spark == {"spark.a": "true", "spark.b": "2"}


def test_an_argument_that_sets_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="argument banana: expected key=value"):
        parse_overrides(["banana"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "shift_jis", "gb18030", "nonsense"])
def test_encodings_that_do_not_extend_ascii_byte_by_byte_are_refused(encoding: str) -> None:
    assert "key encoding: expected" in faults_of(f"encoding={encoding}")


@pytest.mark.parametrize("form", ["%d.%m.%y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S.%f", "%B %d, %Y", "ISO8601"])
def test_a_format_of_dates_is_one_that_pandas_takes(form: str) -> None:
    assert config_of(f"datetime_format={form}").datetime_format == form


@pytest.mark.parametrize("form", ["mixed", "dd.MM.yyyy", "%Q", "%", "%Y %Y", "%%"])
def test_what_is_no_format_of_dates_is_refused(form: str) -> None:
    assert faults_of(f"datetime_format={form}").startswith("key datetime_format: expected ISO8601 or a format")
    assert "since MLflow refuses times with a zone" in faults_of("datetime_format=%Y-%m-%d %H:%M %z")


@pytest.mark.parametrize("separator", ["..", "1", "e", "-", "+", '"', "\n", "é"])
def test_separators_of_thousands_that_could_be_of_a_number_are_refused(separator: str) -> None:
    assert faults_of(f"thousands={separator}").startswith("key thousands: expected one character")


def test_the_marks_of_a_number_are_two() -> None:
    assert faults_of("decimal=,", "thousands=,") == (
        "key thousands: expected another character than that of the key decimal, ,, got ','"
    )
    assert faults_of("thousands=.").startswith("key thousands: expected another character")
    assert "key decimal: input should be '.' or ','" in faults_of("decimal=;")


@pytest.mark.parametrize("delimiter", ["", '"', ";;", "é", "a", "1", ".", "-"])
def test_delimiters_that_could_be_data_are_refused(delimiter: str) -> None:
    if delimiter:
        assert "key delimiter: expected one ASCII character" in faults_of(f"delimiter={delimiter}")


WITH_CREDENTIALS = [
    *("s3://key:secret@bucket/x", "s3a://key:sec/secret@bucket/x", "s3://bucket:9000/x", "s3://secret@bucket", "s3://"),
    *("s3:/key:secret@bucket/x", "S3://key:secret@bucket/x", "http://secret@host/x", "http:/u:secret@host/x"),
    *("key:secret@s3://bucket/x", "https://bucket/x?X-Amz-Signature=secret", "s3://key%3Asecret%40bucket/x"),
]


@pytest.mark.parametrize("key", ["input", "output", "schema"])
@pytest.mark.parametrize("uri", WITH_CREDENTIALS)
def test_a_uri_with_credentials_is_refused_and_not_repeated(key: str, uri: str) -> None:
    message = faults_of(f"{key}={uri}")
    assert f"key {key}" in message
    assert "secret" not in message


@pytest.mark.parametrize("uri", ["http://key:secret@host:9000", "secret@host", "https://host/?token=secret"])
def test_an_endpoint_with_credentials_is_refused_and_not_repeated(uri: str) -> None:
    message = faults_of(f"s3.endpoint={uri}")
    assert "key s3.endpoint: expected http://host:port or https://host:port without credentials" in message
    assert "secret" not in message


@pytest.mark.parametrize("key", ["tracking_uri", "registry_uri"])
@pytest.mark.parametrize(
    "uri",
    [
        *("http://user:secret@host:5000", "https://secret@host", "http:/user:secret@host", "user:secret@host"),
        *("postgresql://user:sec/secret@host/db", "mysql+pymysql://user:secret@host/db", "POSTGRESQL://u:secret@h/d"),
        *(
            "postgresql://host/db?user=u&password=secret",
            "sqlite:///a.db?PWD=secret",
            "https://host/?access_token=secret",
        ),
    ],
)
def test_the_uri_of_a_registry_with_credentials_is_refused_and_not_repeated(key: str, uri: str) -> None:
    message = faults_of(f"{key}={uri}")
    assert f"key {key}: expected a URI without credentials" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "http://host:5000/path",
            "databricks://profile",
            "./mlruns",
            "sqlite:////home/a@b/mlflow.db",
            "file:///a@b:c",
        ),
        *("postgresql://user@host:5432/db?sslmode=require", "arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/a"),
    ],
)
def test_the_uri_of_a_registry_without_credentials_is_taken_as_it_is(uri: str) -> None:
    assert config_of(f"tracking_uri={uri}").tracking_uri == uri


def test_an_argument_that_sets_nothing_is_told_without_its_credentials() -> None:
    with pytest.raises(ConfigError, match=r"argument s3://\*\*\*@bucket/x: expected key=value"):
        parse_overrides(["s3://key:sec/ret@bucket/x"])


@pytest.mark.parametrize("key", ["input", "output", "schema"])
@pytest.mark.parametrize(
    "uri",
    [
        *("arn:aws:s3:eu-west-1:111122223333:accesspoint/campaign/object/in/", "arn:aws-cn:s3:::bucket/in/"),
        *("ARN:aws:s3:::bucket", " arn:aws:s3:::bucket/in/", "s3://arn:aws:s3:::bucket/in/", "file://arn:aws:s3:::b/x"),
    ],
)
def test_an_arn_is_no_local_folder_and_the_alias_of_an_access_point_is_advised(key: str, uri: str) -> None:
    message = faults_of(f"{key}={uri}")
    assert message.startswith(f"key {key}")
    assert ": expected s3://bucket/key, got an ARN; an access point has an alias to use as the bucket" in message


def test_a_folder_that_is_called_arn_can_be_given_by_its_path() -> None:
    assert config_of("input=./arn:x/").input == (f"file://{Path.cwd()}/arn:x/",)


def test_whether_create_only_writes_are_checked_is_one_of_two_words() -> None:
    assert config_of().s3.create_only == "checked"
    assert config_of("s3.create_only=assumed").s3.create_only == "assumed"
    assert "key s3.create_only" in faults_of("s3.create_only=false")


@pytest.mark.parametrize("uri", ["/a\0b", "a\ud800"])
def test_what_no_file_can_be_called_is_refused(uri: str) -> None:
    for key in ("input", "output", "schema"):
        assert f"key {key}" in faults_of(f"{key}={uri}")


@pytest.mark.parametrize("uri", ["s3://b/a/..", "s3://b/..", "s3://b/.", "s3://b//"])
def test_output_uris_whose_last_name_is_no_name_are_refused(uri: str) -> None:
    assert "key output: expected a key without" in faults_of(f"output={uri}")


@pytest.mark.parametrize("uri", ["s3://b/a//b", "s3://b/a:b", "s3://b/a/./b", "s3://b/a/../b", f"s3://b/{'x' * 2048}"])
def test_output_uris_that_amazon_refused_are_refused(uri: str) -> None:
    assert "key output: expected" in faults_of(f"output={uri}")


def test_a_bucket_without_a_slash_is_an_output_but_no_input() -> None:
    assert config_of("output=s3://b").output == "s3://b"
    assert "key input.0: expected s3://bucket/key" in faults_of("input=s3://b")


@pytest.mark.parametrize("batch_id", [".", "..", "a/b", "a b", "é", "x" * 65, "x.manifest", "x.profile"])
def test_ids_that_could_name_another_object_are_refused(batch_id: str) -> None:
    assert "key id" in faults_of(f"id={batch_id}")


@pytest.mark.parametrize("uri", ["models:/m/1", "models:/m@champion", "models:/m/latest", "models:/m-0123abc"])
def test_the_four_ways_to_name_a_model_are_known(uri: str) -> None:
    assert config_of(f"model={uri}").model == uri


@pytest.mark.parametrize(
    "uri", ["m", "runs:/abc/model", "models:/m", "models:/m/Production", "s3://b/model", "models:/a/b/1"]
)
def test_models_outside_of_the_registry_are_refused(uri: str) -> None:
    assert "key model: expected models:/name/version" in faults_of(f"model={uri}")


def test_reading_records_needs_only_the_output() -> None:
    assert load_output_config("{model: broken, output: s3://b/out}").output == "s3://b/out"
    with pytest.raises(ConfigError, match="key output: expected a value"):
        load_output_config("")


@pytest.mark.parametrize(
    ("uri", "use"),
    [
        (
            "models:/m/Production",
            "Production is a stage, which MLflow has given up: set an alias, MlflowClient()."
            'set_registered_model_alias("m", "production", version), and use models:/m@production',
        ),
        (
            "models:/m/Staging",
            "Staging is a stage, which MLflow has given up: set an alias, MlflowClient()."
            'set_registered_model_alias("m", "staging", version), and use models:/m@staging',
        ),
        ("models:/m/Latest", "use models:/m/latest"),
        ("models:/m", "use models:/m/latest for its highest version"),
        (
            "runs:/0123abc/model",
            "a model of a run is used by its id, models:/m-<id>, or registered, "
            'mlflow.register_model("runs:/...", name), and used as models:/name/version',
        ),
    ],
)
def test_another_form_of_mlflow_s_uris_is_told_the_form_to_use(uri: str, use: str) -> None:
    assert faults_of(f"model={uri}").endswith(
        f"expected models:/name/version, models:/name@alias, models:/name/latest or models:/m-<id>; {use}"
        + ("" if "://" in uri else f", got '{uri}'")
    )
