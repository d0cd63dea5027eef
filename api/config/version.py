"""Which mendgate this is."""

from importlib.metadata import PackageNotFoundError, version


def find_version() -> str:
    """Return the installed version; of a checkout that isn't installed there is none."""
    try:
        return version("mendgate")
    except PackageNotFoundError:
        return "0+checkout"
