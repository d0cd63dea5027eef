"""Warnings of an API server: read from its headers, made harmless, and never more than fit."""

from tests.unit.tools.recordings import recorded
from tools.kubernetes.server_warnings import find_ignored, read_warnings


def test_the_warning_of_a_current_server_is_read() -> None:
    header = recorded("unknown-field-warned")["headers"]["Warning"]

    warnings = read_warnings([header])

    assert warnings == ('unknown field "spec.replicaz"',)
    assert find_ignored(warnings) == 'unknown field "spec.replicaz"'


def test_several_warnings_come_in_one_header_or_in_many() -> None:
    headers = ['299 - "one", 299 - "two, \\"quoted\\""', '299 kube "three"', '299 - "one"']

    assert read_warnings(headers) == ("one", 'two, "quoted"', "three")


def test_what_is_no_such_warning_is_left_out() -> None:
    assert read_warnings(['110 cache "stale"', "299 - unquoted", '299 - ""', '299 - "open']) == ()


def test_a_warning_is_plain_bounded_and_without_credentials() -> None:
    headers = [f'299 - "\x1b[2J\u202espoofed password=hunter2secret {"x" * 900}"'] + [
        f'299 - "number {number}"' for number in range(50)
    ]

    warnings = read_warnings(headers)

    assert len(warnings) == 10
    assert all(len(text) <= 300 for text in warnings)
    assert "\x1b" not in warnings[0]
    assert "\u202e" not in warnings[0]
    assert "hunter2secret" not in warnings[0]


def test_a_doubled_field_counts_as_ignored_and_a_deprecated_one_does_not() -> None:
    assert find_ignored(['duplicate field "spec.replicas"'])
    assert find_ignored(['strict decoding error: unknown field "spec.x"'])
    assert not find_ignored(
        ['spec.template.spec.nodeSelector["beta.kubernetes.io/os"]: deprecated since v1.14']
    )
