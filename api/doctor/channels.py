"""`mendgate doctor` on the channels: whether they can be reached. It sends them nothing."""

import os

from api.config.settings import Settings
from api.doctor.check import Check, listed, ok, warning
from api.notify.config_file import load_channels

CHANNELS = "channels"
FIX_CHANNELS = "Correct MENDGATE_NOTIFY's file (docs/notifications.md): `mendgate notify check`."


async def check_channels(settings: Settings) -> Check:
    """Return which channels there are. Raises `BadInput`."""
    if settings.notify is None:
        return ok(CHANNELS, "none is set: nobody is notified of what waits")
    from api.notify.channels import open_channels

    async with open_channels(load_channels(settings.notify), os.environ) as routes:
        found = listed(f"{name} ({route.kind})" for name, route in routes.items())
    if settings.public_url is None:
        return warning(
            CHANNELS, f"{found}; their messages have no link", "Set MENDGATE_PUBLIC_URL to the page's URL."
        )
    return ok(CHANNELS, f"{found}, without having sent anything")
