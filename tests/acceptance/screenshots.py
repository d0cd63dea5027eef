"""The pictures of the page in docs/images/: `make screenshots` takes them anew, of a real incident."""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser

from tests.acceptance.browsers import DESKTOP, PHONE, open_browser, open_person
from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tools.sandbox import SCENARIOS, SandboxCluster

_FOLDER = Path(__file__).parents[2] / "docs" / "images"
_LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
    "desktop-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone-dark": {"viewport": PHONE, "is_mobile": True, "has_touch": True, "color_scheme": "dark"},
}
_MARGIN = 24  # below what there is to see
_COLOURS = 128  # a third of the size, and no difference to be seen
_KEPT = frozenset({"inbox-desktop", "inbox-phone", "incident-desktop", "incident-phone-dark"})


@dataclass(frozen=True)
class Photographer:
    """Takes pictures of a service's page: those for the documents, or in every look and at full length."""

    browser: Browser
    service: ServiceProcess
    folder: Path
    takes_all: bool

    async def take(self, **paths: str) -> None:
        """Take each path, under its name, in every look that is wanted."""
        for look, options in _LOOKS.items():
            names = [name for name in paths if self.takes_all or f"{name}-{look}" in _KEPT]
            if names:
                await self._take_look(look, options, {name: paths[name] for name in names})

    async def _take_look(self, look: str, options: dict[str, Any], paths: dict[str, str]) -> None:
        async with open_person(self.browser, self.service.url, **options) as person:
            tab = await person.sign_in(self.service.tokens["approver"])
            for name, path in paths.items():
                await tab.goto(self.service.url + path)
                picture = self.folder / f"{name}-{look}.png"
                shot = Image.open(BytesIO(await tab.screenshot(full_page=self.takes_all)))
                end = await tab.evaluate("document.querySelector('main').getBoundingClientRect().bottom")
                scale = shot.width / await tab.evaluate("innerWidth")
                seen = shot.crop((0, 0, shot.width, min(shot.height, round((end + _MARGIN) * scale))))
                seen.quantize(_COLOURS).save(picture, optimize=True)


async def take_pictures(folder: Path, *, takes_all: bool) -> None:
    """Take pictures of an incident that waits, and of it resolved where all are wanted."""
    with tempfile.TemporaryDirectory() as scratch:
        async with SandboxCluster() as cluster, open_browser() as browser:
            await cluster.break_as(SCENARIOS["image-pull"])
            service = ServiceProcess(Path(scratch), *cluster.write_kubeconfigs(Path(scratch)))
            await service.start()
            photographer = Photographer(browser, service, folder, takes_all)
            incident_id = await service.post_alert(real_body())
            approval = await service.pending_approval(incident_id)
            await photographer.take(inbox="/", incident=f"/incidents/{incident_id}")
            await service.decide(approval, "approve")
            await service.wait_for(incident_id, "resolved")
            await photographer.take(
                resolved=f"/incidents/{incident_id}", history="/history", controls="/controls"
            )
            await service.stop()


if __name__ == "__main__":
    elsewhere = len(sys.argv) > 1
    place = Path(sys.argv[1]) if elsewhere else _FOLDER
    place.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_pictures(place, takes_all=elsewhere))
