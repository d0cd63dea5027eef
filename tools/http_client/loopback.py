"""What leads to this machine itself. A proxy can't reach it, whatever HTTP_PROXY says."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine is behind the name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def leads_to_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return is_loopback(urlsplit(url).hostname or "")
