"""Processes of one user: the service's memory and environment are closed to the others."""

import subprocess
import sys
from pathlib import Path

from tools.confinement import landlock

_NOBODY = 65534
# Root reads everything, so that powers are given up. That closes a process by itself: it is opened again.
_SCRIPT = f"""
import ctypes, os, sys
module = {{"__name__": "landlock"}}
exec(compile(sys.stdin.read(), "landlock.py", "exec"), module)
libc = ctypes.CDLL(None)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid({_NOBODY}); os.setuid({_NOBODY})
libc.prctl(4, 1, 0, 0, 0)
def steal():
    with open(f"/proc/{{os.getppid()}}/environ", "rb") as environment:
        return b"the pen" in environment.read()
def told():
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if steal() else 2)
        except PermissionError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
before = told()
closed = module["close_to_debuggers"]()
print(before, closed, told(), len(os.listdir("/proc/self/fd")) > 0)
"""


def test_a_child_of_the_same_user_reads_the_environment_only_until_it_is_closed() -> None:
    source = Path(landlock.__file__).read_text()
    environment = {"SECRET": "the pen"}

    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _SCRIPT],
        input=source, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.stdout.split() == ["0", "True", "1", "True"], ran.stderr
