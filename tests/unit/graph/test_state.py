"""The state: what checkpoints hold, and that a saver brings it back as it was."""

from collections.abc import Iterator
from typing import Any, get_args

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import Candidate, Diagnosis, ReadCall, ToolAnswer
from graph.domain.incident import Ending
from graph.state import CHECKPOINTED, IncidentState
from tests.unit.graph.domain.proposals import WEB, make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import Outcome


def models_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def test_every_model_in_the_state_may_be_revived_and_no_other() -> None:
    found = {model for field in IncidentState.model_fields.values() for model in models_in(field.annotation)}

    assert found == set(CHECKPOINTED)


def test_a_whole_state_survives_the_saver() -> None:
    call = make_proposal().arguments
    state = IncidentState(
        alert=AlertGroup.model_validate(real_body()),
        target=WEB,
        pending_calls=(ReadCall(tool="kubectl_get", arguments={"name": "web"}),),
        answers=(
            ToolAnswer(
                evidence="E1", tool="kubectl_get", arguments={}, is_error=False, characters=2, excerpt="ok"
            ),
        ),
        diagnosis=Diagnosis(summary="s", cause="c", source="runbook", confidence="high"),
        candidate=Candidate(call=call, grounding="guess", basis="b"),
        undo=Candidate(call=call, purpose="undo", grounding="same_object", basis="b"),
        tried=(call,),
        outcome=Outcome(kind="applied", detail="d"),
        ending=Ending(status="resolved", reason="r"),
    )
    serializer = JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINTED)
    channels = {name: getattr(state, name) for name in IncidentState.model_fields}

    revived = serializer.loads_typed(serializer.dumps_typed(channels))

    assert IncidentState.model_validate(revived) == state
    assert isinstance(revived["target"], type(WEB))
    assert isinstance(revived["tried"][0], type(call))
