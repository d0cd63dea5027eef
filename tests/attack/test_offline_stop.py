"""The kill switch without a service, and before one does anything."""

from pathlib import Path

import pytest

from api.cli.offline import stop_offline
from api.config.settings import Settings
from api.serving.wiring import open_service
from checkpoints.db.file_lock import DatabaseHeld, hold_database
from checkpoints.ledger import open_ledger
from tests.integration.cluster.clusters import ClusterUnderTest

pytestmark = pytest.mark.parametrize("cluster", ["sandbox"], indirect=True)


def settings_of(folder: Path, cluster: ClusterUnderTest, **changes: object) -> Settings:
    facts = {
        "kubeconfig": cluster.reader_kubeconfig, "database_url": f"sqlite+aiosqlite:///{folder}/ledger.db",
        "audit_key": folder / "audit.key", "tokens": folder / "tokens.json",
    }  # fmt: skip
    return Settings.model_validate(facts | changes)


async def test_the_kill_switch_is_turned_on_where_no_service_answers(
    tmp_path: Path, cluster: ClusterUnderTest
) -> None:
    settings = settings_of(tmp_path, cluster)

    switch = await stop_offline(settings, "restoring a backup")

    assert (switch.engaged, switch.by.endswith("(offline)")) == (True, True)
    async with open_ledger(settings.database_url, settings.audit_key) as ledger:
        assert "restoring a backup" in str((await ledger.stops.standing()).stopped_by)
        assert (await ledger.audit.verify()).intact


async def test_a_file_that_a_service_has_is_left_to_it(tmp_path: Path, cluster: ClusterUnderTest) -> None:
    settings = settings_of(tmp_path, cluster)

    with hold_database(settings.database_url, "mendgate serve"):
        with pytest.raises(DatabaseHeld, match="mendgate serve, process"):
            await stop_offline(settings, "restoring a backup")
        with pytest.raises(DatabaseHeld, match="mendgate serve, process"):
            async with open_service(settings):
                pass


async def test_a_service_that_is_started_stopped_writes_nothing_until_an_admin_says_so(
    tmp_path: Path, cluster: ClusterUnderTest
) -> None:
    async with open_service(settings_of(tmp_path, cluster, start_stopped=True)) as service:
        assert "told to start stopped" in str((await service.ledger.stops.standing()).stopped_by)
        await service.ledger.stops.set_kill_switch(engaged=False, by="root", reason="looked at it")

        assert (await service.ledger.stops.standing()).stopped_by is None
