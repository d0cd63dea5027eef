"""What an exit code means, in words that claim no more than is known."""

import signal

from graph.cluster.container_status import Terminated
from graph.runbooks.objects.answers import quote

_FIRST_OF_SIGNALS, _LAST_OF_SIGNALS = 129, 192
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
_MEANINGS = {
    0: "which means no error",
    1: "an error of the program's own",
    2: "an error of the program's own, often a wrong argument or a shell's syntax",
    125: "by convention a runtime that failed to run it",
    126: "by convention its command was found but can't be executed: no permission to, or another format",
    127: "by convention its command wasn't found: its path, or what it is run by",
    128: "by convention an exit code that makes no sense, or a runtime that couldn't start it",
    255: "an error of the program's own, or an exit code beyond 255",
}
_SIGNALS = {
    signal.SIGABRT: "gave up by itself, as after a failed assertion",
    signal.SIGBUS: "used memory that isn't there, such as a file that became shorter",
    signal.SIGFPE: "a division by zero, or the like",
    signal.SIGILL: "an instruction that this processor doesn't have",
    signal.SIGINT: "interrupted",
    signal.SIGPIPE: "nobody read any more what it wrote",
    signal.SIGSEGV: "used memory that isn't its own: a fault in native code, or a wrong library",
    signal.SIGSYS: "a system call that is forbidden, as by a seccomp profile",
    signal.SIGTERM: "asked to stop, by the kubelet (a probe, a deletion) or by something within",
    signal.SIGKILL: (
        "killed by the kubelet, by a node that ran out of memory, or by something else; nothing says that it"
        " was for its own memory limit"
    ),
}


def describe_end(end: Terminated) -> str:
    """Return in half a sentence how a container ended, such as `ended with exit code 2, …`."""
    reason = quote(end.reason)
    named = f" ({reason})" if reason not in {"", "Error", "Completed"} else ""
    if end.reason in _NOT_STARTED:
        return f"couldn't be started: {reason}, exit code {end.exit_code}"
    meaning = _explain(end)
    return f"ended with exit code {end.exit_code}{named}, {meaning}"


def _explain(end: Terminated) -> str:
    if end.reason == "OOMKilled":
        return "killed for the memory that it used"
    if end.reason == "ContainerStatusUnknown":
        return "so that nothing is known of how it ended"
    if _FIRST_OF_SIGNALS <= end.exit_code <= _LAST_OF_SIGNALS:
        return _explain_signal(end.exit_code - _FIRST_OF_SIGNALS + 1)
    return _MEANINGS.get(end.exit_code, "a code of the program's own, which its documentation may explain")


def _explain_signal(number: int) -> str:
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"by convention signal {number}, or a code of the program's own"
    meaning = f": {_SIGNALS[known]}" if known in _SIGNALS else ""
    return f"by convention {known.name}{meaning}"
