"""Which line of a log says why a program ended: levels are read, and the last words alone decide nothing."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch
from graph.runbooks.evidence.log_levels import DEBUG, ERROR, FATAL, INFO, WARNING, rank_lines, read_level
from tests.unit.graph.runbooks.runbook_cases import NOW, MadeUpCluster, decide, runbook_of, waiting


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("WARN  environment variable SENTRY_DSN is not set", WARNING),
        ('time="2026-11-30T10:00:00Z" level=warning msg="ERROR page is missing"', WARNING),
        ("ts=2026-11-30T10:00:00Z lvl=eror msg=broken", ERROR),
        ('{"level":"error","ts":1764500000,"msg":"WARN is a word"}', ERROR),
        ('{"time":1764500000,"level":50,"msg":"pino"}', ERROR),
        ('{"level":40,"msg":"bunyan"}', WARNING),
        ('{"severity":"CRITICAL","message":"stackdriver"}', ERROR),
        ('{"L":"WARN","T":"10:00","M":"zap"}', WARNING),
        ("2026-11-30T10:00:00.000Z\terror\tcmd/main.go:31\tcannot connect", ERROR),
        ("E1130 10:00:00.000000       1 main.go:31] cannot connect", ERROR),
        ("W1130 10:00:00.000000       1 main.go:31] FATAL is a word", WARNING),
        ("2026-11-30 10:00:01.113  INFO 1 --- [main] c.a.Application : Starting", INFO),
        ("2026-11-30 10:00:01,113 ERROR [main] com.acme.Application - it broke", ERROR),
        ("10:00:01.113 [main] WARN  c.a.Application -- ERROR page disabled", WARNING),
        ("WARNING:root:something", WARNING),
        ("2026-11-30 10:00:01,113 - acme - CRITICAL - something", ERROR),
        ("[2026-11-30T10:00:00Z ERROR acme::api] something", ERROR),
        ("E, [2026-11-30T10:00:00.000000 #1] ERROR -- : something", ERROR),
        ("[10:00:00 WRN] Serilog", WARNING),
        ("10:00AM FTL zerolog", FATAL),
        ("fail: Microsoft.AspNetCore.Server.Kestrel[0]", ERROR),
        ("2026/11/30 10:00:00 [emerg] 1#1: host not found in upstream", FATAL),
        ("2026-11-30T10:00:05Z 0 [Warning] [MY-010068] [Server] self signed", WARNING),
        ("2026-11-30 10:00:00 UTC [1] FATAL:  database files are incompatible with server", FATAL),
        ("2026-11-30 10:00:00 UTC [1] LOG:  database system is shut down", INFO),
        ("<4>kernel-like warning", WARNING),
        ("panic: runtime error: index out of range", FATAL),
        ("java.lang.IllegalStateException: it broke", ERROR),
        ("\x1b[31merror\x1b[0m: cannot connect", ERROR),
        ("DEBUG: looking around", DEBUG),
        ("listening on :8080", None),
        ("LOG_LEVEL=error", None),
        ("errors: 0, warnings: 3", None),
        ("", None),
    ],
)
def test_levels_are_read_in_the_formats_that_programs_write(line: str, level: int | None) -> None:
    assert read_level(line) == level


def test_the_gravest_line_comes_first_and_what_is_less_grave_is_left_out() -> None:
    text = (
        "INFO starting\nERROR cannot connect to payments\n  at connect (net.js:1)\n"
        "WARN SENTRY_DSN is not set\n  set it to have errors reported\nERROR exiting\n"
    )

    ranked = [line for line, _ in rank_lines(text)]

    assert ranked == ["ERROR cannot connect to payments", "ERROR exiting", "  at connect (net.js:1)"]


def ending(log: str, **changes: Any) -> MadeUpCluster:
    end = {"reason": "Error", "exitCode": 1, "finishedAt": NOW.isoformat()}
    crashed = {**waiting("app", "CrashLoopBackOff"), "restartCount": 3, "lastState": {"terminated": end}}
    made = {"name": "app", "image": "acme/checkout:3.0.0"}
    return MadeUpCluster(**({"containers": [made], "statuses": [crashed], "log": log} | changes))


REFUSED = "cannot connect to payments: x509: certificate is valid for pay-eu, not pay-us"


@pytest.mark.parametrize(
    "log",
    [
        f"ERROR {REFUSED}\nWARN  environment variable SENTRY_DSN is not set, error reporting disabled",
        f'level=error msg="{REFUSED}"\nlevel=warn msg="SENTRY_DSN is not set"',
        f'{{"level":"fatal","msg":"{REFUSED}"}}\n{{"level":"warn","msg":"SENTRY_DSN is not set"}}',
        f'{{"level":60,"msg":"{REFUSED}"}}\n{{"level":40,"msg":"SENTRY_DSN is not set"}}',
        f"E1130 10:00:00.000000 1 a.go:1] {REFUSED}\nW1130 10:00:00.000000 1 a.go:2] SENTRY_DSN is not set",
        f"2026-11-30 10:00:00,1 ERROR [main] B - {REFUSED}\n10:00:00,2 WARN [main] B - SENTRY_DSN is not set",
        f"CRITICAL:root:{REFUSED}\nWARNING:root:SENTRY_DSN is not set",
        f"2026-11-30T10:00:00Z\tfatal\tm.go:1\t{REFUSED}\n10:00:00Z\twarn\tm.go:2\tSENTRY_DSN is not set",
        f"SENTRY_DSN is not set\nERROR {REFUSED}",
        f"ERROR {REFUSED}\nSENTRY_DSN is not set, skipping",
        "WARN SENTRY_DSN is not set\nbye",
        "INFO SENTRY_DSN is not set",
        "SENTRY_DSN is not set, using the default",
        f"ERROR SENTRY_DSN is not set\nFATAL {REFUSED}",
    ],
)
async def test_a_variable_that_a_program_can_do_without_is_not_the_cause(log: str) -> None:
    older = [[{"name": "app", "image": "acme/checkout:3.0.0", "env": [{"name": "SENTRY_DSN", "value": "x"}]}]]

    step = await decide(ending(log, older=older))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)
    if REFUSED in log:
        assert REFUSED in step.reason


@pytest.mark.parametrize(
    "log",
    [
        "WARN cache is cold\nERROR environment variable DATABASE_URL is not set",
        "Traceback (most recent call last):\n  File 'a.py', line 1\nKeyError: 'DATABASE_URL'",
        "DATABASE_URL is not set\nERROR exiting",
        '{"level":"fatal","msg":"missing required environment variable: DATABASE_URL"}',
        "panic: required key DATABASE_URL missing value\n\ngoroutine 1 [running]:",
    ],
)
async def test_a_variable_that_an_error_names_is_the_cause(log: str) -> None:
    variable = {"name": "DATABASE_URL", "value": "postgres://db"}
    older = [[{"name": "app", "image": "acme/checkout:3.0.0", "env": [variable]}]]

    step = await decide(ending(log, older=older))

    assert isinstance(step, ProposePatch)
    assert step.diagnosis.runbook == "environment"
