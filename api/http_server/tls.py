"""TLS where we listen: the certificate of the settings, read again when it is renewed."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from api.config.settings import Settings
from tools.errors import BadInput

log = logging.getLogger(__name__)
_LOOK_SECONDS = 60.0


def scheme(settings: Settings) -> str:
    """Return `https` where a certificate is set, else `http`."""
    return "https" if settings.tls_cert else "http"


@asynccontextmanager
async def certified(
    settings: Settings, look_seconds: float = _LOOK_SECONDS
) -> AsyncIterator[ssl.SSLContext | None]:
    """Yield what to listen with, renewed while the block runs; None where no certificate is set.

    Raises `BadInput` for files that can't be used. Later on, a certificate that can't be used is logged, and
    the one before it stays.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        yield None
        return
    if settings.tls_cert is None or settings.tls_key is None:
        raise BadInput("MENDGATE_TLS_CERT and MENDGATE_TLS_KEY belong together: set both, or neither")
    pair = _Pair(settings.tls_cert, settings.tls_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair.load_into(context)
    renewing = asyncio.create_task(_renew(context, pair, look_seconds), name="certificate")
    try:
        yield context
    finally:
        renewing.cancel()


class _Pair:
    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen: tuple[tuple[int, int], ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether the files aren't those that were loaded last."""
        return self._stamps() != self._seen

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have new connections served with what the files hold now. Raises `BadInput`."""
        self._seen = self._stamps()
        try:
            # a pair that doesn't match would leave the context without a key: it is tried elsewhere
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            names = " and ".join(map(str, self._files))
            raise BadInput(
                f"{names} can't be used ({error}): check MENDGATE_TLS_CERT and MENDGATE_TLS_KEY"
            ) from error

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        try:
            found = [path.stat() for path in self._files]
        except OSError:  # being replaced, or gone: loading says which
            return ()
        return tuple((one.st_ino, one.st_mtime_ns) for one in found)


async def _renew(context: ssl.SSLContext, pair: _Pair, look_seconds: float) -> None:
    while True:
        await asyncio.sleep(look_seconds)
        if not pair.is_new:
            continue
        try:
            pair.load_into(context)
            log.info("the certificate was renewed")
        except BadInput as error:
            log.error("the certificate stays as it was: %s", error)  # noqa: TRY400 -- the message has it all
