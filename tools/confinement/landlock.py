"""Landlock: a process gives up files, and the sight of other processes, before it becomes a tool server.

Run as a file by an interpreter that imports nothing of ours: `python -I -S landlock.py PLAN COMMAND …`. PLAN
is JSON, `{"hidden": […], "shown": […], "writable": […]}`, absolute paths each. All may be read but what is
hidden, and nothing may be written but what is writable. Where that can't be enforced the command isn't run.

Landlock knows permissions alone, so that "all but" is spelled out: everything next to a hidden path, and next
to each folder above it, is allowed by name. What appears in such a folder later stays closed; hiding by a
mount over the path would open as soon as the file is replaced.
Reference: https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import json
import os
import stat
import struct
import sys
from collections.abc import Iterable, Iterator

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _ASK_VERSION = 1, 1
_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET, _SET_DUMPABLE = 38, 24, 4
_KEPT_CAPABILITY = 1  # DAC_OVERRIDE: root may own the service, and another user the files that a child needs
_LAST_CAPABILITY = 63

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_SCOPED = 0b11  # abstract sockets and signals
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty"))
_CANNOT, _NOT_FOUND = 126, 127


def version() -> int:
    """Return the kernel's Landlock version, 0 where it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    ask = ctypes.c_uint32(_ASK_VERSION)
    found: int = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ask)
    return max(found, 0)


def close_to_debuggers() -> bool:
    """Let no process of the same user read this one's memory or environment; return whether that worked.

    Root is not kept out. A core is no longer dumped either, which would hold the same secrets.
    """
    if not sys.platform.startswith("linux"):
        return False
    failed: int = _libc().prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    return not failed


def restrict(hidden: Iterable[str], shown: Iterable[str], writable: Iterable[str]) -> None:
    """Confine this process and all its children to come, for good. Raises OSError where it can't be done."""
    abi = version()
    if not abi:
        raise OSError("this kernel has no Landlock")
    handled = _handled(abi)
    ruleset = _create_ruleset(handled, abi)
    try:
        _allow(ruleset, "/", _READ_DIR)  # names are no secrets, and interpreters list folders
        for path in beside(hidden):
            _allow(ruleset, path, _READING & handled)
        for path in shown:
            _allow(ruleset, path, _READING & handled)
        for path in (*_DEVICES, *writable):
            _allow(ruleset, path, handled)
        _drop_capabilities()
        _checked(_libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_libc().syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def beside(hidden: Iterable[str]) -> Iterator[str]:
    """Yield what is next to the hidden paths and the folders above them, as few paths as will do.

    Left out with a hidden file: what begins with its name (journals, copies) and other names of it.
    """
    closed = {"/dev"} | {real for path in hidden for real in _real_names(path)}
    above = {folder for path in closed for folder in _folders_above(path)}
    yield from _beside("/", closed, above, {one for path in closed if (one := _identity(path))})


def _beside(
    folder: str, closed: set[str], above: set[str], identities: set[tuple[int, int]]
) -> Iterator[str]:
    names = tuple(os.path.basename(path) for path in closed if os.path.dirname(path) == folder)  # noqa: PTH119, PTH120 -- text, and many of them
    files = tuple(name for name in names if not os.path.isdir(os.path.join(folder, name)))  # noqa: PTH112, PTH118
    try:
        entries = list(os.scandir(folder))
    except OSError:  # it can't be listed: what is in it stays closed
        return
    for entry in entries:
        # a link needs no permission, and one for it would be one for what it leads to
        if entry.is_symlink() or entry.name in names or (files and entry.name.startswith(files)):
            continue
        if entry.path in above:
            yield from _beside(entry.path, closed, above, identities)
        elif _identity(entry.path) not in identities:
            yield entry.path


def _real_names(path: str) -> set[str]:
    """Return a path without links on its way, and what it leads to if it is a link itself."""
    parent, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
    return {os.path.join(os.path.realpath(parent), name), os.path.realpath(path)}  # noqa: PTH118


def _folders_above(path: str) -> Iterator[str]:
    while path != "/":
        path = os.path.dirname(path)  # noqa: PTH120
        yield path


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return None if stat.S_ISDIR(found.st_mode) else (found.st_dev, found.st_ino)


def _handled(abi: int) -> int:
    """Return the rights that this version can take away."""
    rights = (1 << 13) - 1
    for since, right in ((2, 1 << 13), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        rights |= right if abi >= since else 0
    return rights


def _create_ruleset(handled: int, abi: int) -> int:
    # files, network, scopes: earlier versions take a shorter structure
    fields = (handled,) if abi < 4 else (handled, 0) if abi < 6 else (handled, 0, _SCOPED)  # noqa: PLR2004
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    size = ctypes.c_size_t(len(attributes))
    return _checked(_libc().syscall(_CREATE_RULESET, attributes, size, ctypes.c_uint32(0)))


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Allow rights beneath a path. One that isn't there, or can't be reached, needs none."""
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        of_its_kind = rights if stat.S_ISDIR(os.fstat(target).st_mode) else rights & _OF_FILES
        rule = struct.pack("=Qi", of_its_kind, target)
        kind, none = ctypes.c_int(_PATH_BENEATH), ctypes.c_uint32(0)
        _checked(_libc().syscall(_ADD_RULE, ctypes.c_int(ruleset), kind, rule, none))
    finally:
        os.close(target)


def _drop_capabilities() -> None:
    """Leave root without its powers over other processes, disks and the kernel."""
    if os.geteuid() == 0:
        for capability in range(_LAST_CAPABILITY + 1):
            if capability != _KEPT_CAPABILITY:  # of those that this kernel doesn't know, none can be dropped
                _libc().prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main() -> None:
    """Confine this process by its first argument, and become the command that follows."""
    plan, command = json.loads(sys.argv[1]), sys.argv[2:]
    try:
        restrict(plan["hidden"], plan["shown"], plan["writable"])
    except OSError as error:
        print(f"{command[0]} isn't started, since it can't be confined: {error}", file=sys.stderr)  # noqa: T201 -- the last words of a child
        sys.exit(_CANNOT)
    try:
        os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted
    except OSError as error:
        print(f"{command[0]} can't be started: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(_NOT_FOUND)


if __name__ == "__main__":
    main()
