"""Serving our reading tools over HTTP, from a pod, a user or a machine of their own."""

from typing import TYPE_CHECKING

from api.config.settings import Settings
from api.doctor.permissions import WRITES, find_excess
from api.doctor.reader import describe_held
from api.http_server.tls import certified
from api.reader.tool_server import require_reader_token
from api.serving.server import answering_with, listen, url_of
from tools.confinement.landlock import close_to_debuggers
from tools.errors import BadInput, ClusterError

if TYPE_CHECKING:
    from tools.kubernetes.client import Cluster


async def serve_reader(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises `BadInput` where the secret or the kubeconfig can't be used, and for a credential that can write,
    or may: it would not be a reader's.
    """
    import uvicorn

    from tools.kubernetes.client import Cluster
    from tools.mcp.http_server import PLACE, build_app, read_secret

    secret_file = require_reader_token(settings)
    read_secret(secret_file)
    close_to_debuggers()
    with listen(settings) as listener:
        async with (
            certified(settings) as certificate,
            Cluster.from_kubeconfig(settings.kubeconfig) as cluster,
        ):
            await refuse_writer(cluster)
            config = answering_with(build_app(cluster, secret_file), certificate, lifespan="on")
            print(f"mendgate's reading tools listen on {url_of(settings, listener)}{PLACE}", flush=True)  # noqa: T201 -- what a person who started it waits for
            await uvicorn.Server(config).serve(sockets=[listener])


async def refuse_writer(cluster: "Cluster") -> None:
    """Raise `BadInput` for a credential that can write, or that the API server says nothing about."""
    try:
        held = await find_excess(cluster, WRITES)
    except ClusterError as error:
        raise BadInput(
            f"whether the credential of KUBECONFIG can write couldn't be checked ({error}): make sure that "
            "the API server can be reached with it, and start the reader again"
        ) from error
    if held:
        raise BadInput(
            f"the credential of KUBECONFIG isn't a reader's: it may {describe_held(held)}. Give it the "
            "ClusterRole mendgate-read of docs/credentials.md, and no other role"
        )
