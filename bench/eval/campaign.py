"""Runs scenarios, several at a time, each on a cluster and a service of its own."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.eval.clusters import ClusterDoor, Credentials
from bench.eval.courses import play
from bench.eval.judge import Score, judge
from bench.eval.recordings import open_recording
from bench.eval.scenario import Scenario, Venue
from bench.eval.stages import Stage, open_sandbox
from tools.errors import MendgateError

Opener = Callable[[Scenario, Path], AbstractAsyncContextManager[Stage]]
_KUBECONFIGS = (
    "MENDGATE_TEST_ADMIN_KUBECONFIG",
    "MENDGATE_TEST_READER_KUBECONFIG",
    "MENDGATE_TEST_WRITER_KUBECONFIG",
)


def list_venues(environment: Mapping[str, str]) -> Mapping[Venue, Opener]:
    """Return where scenarios can be played; on a real cluster where the environment names one."""
    venues: dict[Venue, Opener] = {"sandbox": open_sandbox, "recorded": open_recording}
    paths = [Path(environment[name]) for name in _KUBECONFIGS if environment.get(name)]
    if len(paths) == len(_KUBECONFIGS):
        venues["cluster"] = ClusterDoor(Credentials(*paths)).open
    return venues


@dataclass(frozen=True)
class Campaign:
    """How scenarios are run. `model` None: the runbooks alone."""

    venues: Mapping[Venue, Opener]
    at_once: int = 4
    model: str | None = None

    async def run(self, scenarios: Sequence[Scenario], tell: Callable[[Score], None]) -> list[Score]:
        """Return the scores in the order of the scenarios; `tell` hears of each when it is there."""
        places = asyncio.Semaphore(self.at_once)

        async def score(scenario: Scenario) -> Score:
            async with places:
                found = await self._score(scenario)
            tell(found)
            return found

        return list(await asyncio.gather(*(score(one) for one in scenarios)))

    async def _score(self, scenario: Scenario) -> Score:
        venue = next((one for one in scenario.venues if one in self.venues), None)
        blank = Score(scenario.name, scenario.family, scenario.expect.outcome, venue)
        if venue is None:
            return replace(blank, skipped=f"needs a {' or a '.join(scenario.venues)}")
        try:
            with tempfile.TemporaryDirectory(prefix="mendgate-eval-") as folder:
                async with self.venues[venue](scenario, Path(folder)) as stage:
                    return judge(await play(scenario, stage, Path(folder), self.model))
        except MendgateError as error:
            return replace(blank, faults=(str(error),))
