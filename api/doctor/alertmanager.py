"""`mendgate doctor` on Alertmanager: whether it can be asked for alerts that were never delivered."""

from api.config.settings import Settings
from api.doctor.check import Check, failed, listed, ok, warning
from api.workers.alert_reconciler import read_credential

ALERTMANAGER = "Alertmanager"
FIX_ALERTMANAGER = "Correct the settings MENDGATE_ALERTMANAGER_…: docs/alertmanager.md."
_UNSET = "none is set: alerts that it fails to deliver stay unnoticed"


async def check_alertmanager(settings: Settings) -> Check:
    """Ask each for its version and receivers. Raises `BadInput` and `AlertmanagerUnusable`."""
    if not settings.alertmanager_url:
        return ok(ALERTMANAGER, _UNSET)
    from tools.http_client.alertmanager import Alertmanager

    found: list[str] = []
    receiver = settings.alertmanager_receiver
    opened = Alertmanager.opened(
        settings.alertmanager_url, read_credential(settings), settings.alertmanager_ca
    )
    async with opened as alertmanagers:
        for one in alertmanagers:
            names = await one.receivers()
            if receiver is not None and receiver not in names:
                return failed(
                    ALERTMANAGER,
                    f"{one.url} has no receiver {receiver}, so that nothing would be healed",
                    f"Set MENDGATE_ALERTMANAGER_RECEIVER to one of: {listed(names)}.",
                )
            version = (await one.status()).version_info.version
            found.append(f"{one.url} ({version}, {len(await one.alerts())} alerts fire)")
    if receiver is None:
        return warning(
            ALERTMANAGER,
            f"{listed(found)}; alerts for any receiver are taken in",
            "Set MENDGATE_ALERTMANAGER_RECEIVER to the name of the receiver that delivers here.",
        )
    return ok(ALERTMANAGER, f"{listed(found)}, for receiver {receiver}")
