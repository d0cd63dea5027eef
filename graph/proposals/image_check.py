"""Whether the images of a change exist, as their registries say."""

from collections.abc import Sequence

from graph.domain.diagnosis import Trace
from graph.ports import ImageRegistry
from tools.errors import MendgateError
from tools.registry.image_reference import parse_image

_NOT_WELL_FORMED = "a guess: it isn't a well-formed image reference"


class ImageAbsent(MendgateError):
    """A registry says that it doesn't have an image; the message names the nearest tags."""


async def check_images(registry: ImageRegistry, traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """Return the traces with what the registries say of their images. Raises `ImageAbsent`.

    Where a registry is listed but can't say, the image is a guess, whatever the evidence says.
    """
    return tuple([await _check(registry, trace) if _is_image(trace) else trace for trace in traces])


async def _check(registry: ImageRegistry, trace: Trace) -> Trace:
    image = parse_image(str(trace.value))
    if image is None:
        return trace.model_copy(update={"origin": "none", "place": _NOT_WELL_FORMED})
    host, _, repository = image.repository.partition("/")
    found = await registry.look_up(host, repository, image.digest or image.tag or "latest")
    match found.status:
        case "exists":
            return trace.model_copy(update={"place": f"{trace.place}; its registry has it"})
        case "unknown":
            said = f"a guess: its registry can't say whether it exists ({found.detail}); {trace.place}"
            return trace.model_copy(update={"origin": "none", "place": said})
        case "absent":
            nearest = ", ".join(found.nearest) or "none is known"
            raise ImageAbsent(
                f"the image {image.text} doesn't exist: {found.detail}; the nearest tags: {nearest}"
            )
        case "not_asked":
            return trace


def _is_image(trace: Trace) -> bool:
    return trace.value is not None and trace.path.split(".")[-1] == "image"
