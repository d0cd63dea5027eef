"""Error codes: a refusal must never be taken for an unknown outcome, nor the other way round."""

from typing import Any, Literal

import pytest
from langchain_core.messages import ToolMessage

from tools.mcp.results import ToolResult, find_error_code, read_message


def message(
    content: list[str | dict[Any, Any]], status: Literal["success", "error"] = "success", artifact: Any = None
) -> ToolMessage:
    return ToolMessage(content=content, tool_call_id="1", status=status, artifact=artifact)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"error": {"code": 409, "reason": "Conflict", "message": "moved"}}', 409),
        ('{"error": {"code": null, "reason": "ClusterUnreachable", "message": "no answer"}}', None),
        ('{"error": "something"}', None),
        ("[]", None),
        ('Failed: Error from server (Conflict): Operation cannot be fulfilled on deployments "x"', 409),
        ('Error from server (NotFound): deployments.apps "x" not found', 404),
        ("Error from server (Forbidden): deployments.apps is forbidden", 403),
        ("Error from server (BadRequest): invalid JSON", 400),
        ("Error from server (InternalError): webhook failed", 500),
        ("Error from server (Sideways): what", None),
        ("Error from server (Conflict): x\nError from server (InternalError): y", None),
        ('The Deployment "x" is invalid: spec.replicas: Invalid value: -1', 422),
        ('MCP error -32603: Command failed\nThe request is invalid: patch: Invalid value: "x"', 422),
        ('{"error": "Resource pod/web-1 not found", "status": "not_found"}', 404),
        ("Unable to connect to the server: dial tcp 127.0.0.1:6443: connection refused", None),
        ("", None),
    ],
)
def test_the_code_is_read_from_json_or_from_kubectls_words(text: str, code: int | None) -> None:
    assert find_error_code(text) == code


def test_a_success_that_quotes_an_error_has_no_code() -> None:
    answer = message([{"type": "text", "text": "Error from server (Conflict): old log"}])

    assert read_message(answer) == ToolResult("Error from server (Conflict): old log", is_error=False)


def test_all_text_is_joined_and_other_content_is_named() -> None:
    answer = message(
        [{"type": "text", "text": "one"}, {"type": "image", "base64": ""}, {"type": "text", "text": "three"}]
    )

    assert read_message(answer).text == "one\n[image left out]\nthree"


def test_structured_content_stands_in_for_missing_text() -> None:
    answer = message([], artifact={"structured_content": {"pods": 3}})

    assert read_message(answer).text == '{"pods": 3}'


@pytest.mark.parametrize(
    ("text", "unanswered"),
    [
        ('{"error": {"code": null, "reason": "ClusterUnreachable", "message": "no answer"}}', True),
        ('{"error": {"code": 503, "reason": "ServiceUnavailable", "message": "busy"}}', True),
        ('{"error": {"code": 429, "reason": "TooManyRequests", "message": "busy"}}', True),
        ('{"error": {"code": 404, "reason": "NotFound", "message": "gone"}}', False),
        ("something else went wrong", False),
    ],
)
def test_only_a_missing_answer_is_worth_asking_for_again(text: str, unanswered: bool) -> None:
    assert read_message(message([{"type": "text", "text": text}], "error")).is_unanswered is unanswered
