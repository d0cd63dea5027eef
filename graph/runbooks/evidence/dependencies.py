"""What a program says when something that it depends on refuses it or doesn't answer."""

import re

_REFUSALS = re.compile(
    r"connection (?:was )?refused|ECONNREFUSED|no route to host|host is unreachable|network is unreachable"
    r"|ETIMEDOUT|EHOSTUNREACH|ECONNRESET|connection (?:was )?reset|connection timed? ?out|i/o timeout"
    r"|context deadline exceeded|DeadlineExceeded|read timeout|connect(?:ion)? timeout"
    r"|(?:could not|couldn't|cannot|can't|can not|failed to|unable to) (?:connect|reach|contact|dial|ping)"
    r"|connection to .{1,80} failed|failed connecting|connection failure|communications link failure"
    r"|server closed the connection|too many (?:connections|clients)|remaining connection slots"
    r"|password authentication failed|authentication failed|access denied for user|NOAUTH|WRONGPASS"
    r"|no such host|name or service not known|ENOTFOUND|EAI_AGAIN|UnknownHostException"
    r"|\bx509: |\btls: |certificate verify failed|SSLHandshakeException|PKIX path"
    r"|\b(?:502 Bad Gateway|503 Service Unavailable|504 Gateway Time-?out|429 Too Many Requests)"
    r"|broker (?:may )?not (?:be )?available|no brokers? available|NoHostAvailable|ServerSelectionTimeout"
    r"|no space left on device|disk quota exceeded|read-only file system",
    re.IGNORECASE,
)
_LONGEST = 2_000


def speaks_of_dependency(line: str) -> bool:
    """Whether a line says that a database, another service, or the ground under it fails the program."""
    return bool(_REFUSALS.search(line[:_LONGEST]))
