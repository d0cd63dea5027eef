"""What holds the ends of approvals and incidents against the seals, taken away."""

from tests.attack.mutation import Mutation

_APPROVALS, _INCIDENTS = "checkpoints/approvals/store.py", "checkpoints/incidents/store.py"
_ENDINGS = "checkpoints/audit/endings.py"
_ENDS = ("tests/attack/test_unsealed_ends.py",)
_AS_STORED = "{row.id: End() for row in rows}"

ENDS = (
    Mutation(
        "ends: what a run believes",
        ((_APPROVALS, "if end.doubt:", "if False:"),),
        _ENDS,
    ),
    Mutation(
        "ends: what is shown of approvals",
        ((_APPROVALS, "await read_ends(session, rows)", _AS_STORED),),
        _ENDS,
    ),
    Mutation(
        "ends: what is shown of incidents",
        ((_INCIDENTS, "await read_verdicts(session, rows)", _AS_STORED),),
        _ENDS,
    ),
    Mutation(
        "ends: the verdict of a resolution",
        ((_INCIDENTS, "(await read_verdicts(session, [row]))[incident_id].doubt", '""'),),
        _ENDS,
    ),
    Mutation(
        "ends: their words",
        ((_ENDINGS, "stored if self.words is None else self.words", "stored"),),
        _ENDS,
    ),
    Mutation(
        "ends: each row bears its seal",
        ((_ENDINGS, "if link.is_sealed(keeper.key)", "if link.mac"),),
        _ENDS,
    ),
)
