"""What holds the ends of approvals and incidents against the seals, taken away."""

from tests.attack.mutation import Mutation

_APPROVALS, _INCIDENTS = "checkpoints/approvals.py", "checkpoints/incidents.py"
_ENDINGS = "checkpoints/endings.py"
_ENDS = ("tests/attack/test_unsealed_ends.py",)
_NONE = "dict[str, str]()"

ENDS = (
    Mutation(
        "ends: what a run believes",
        ((_APPROVALS, "(await find_unsealed_ends(session, [row]))", _NONE),),
        _ENDS,
    ),
    Mutation(
        "ends: what is shown of approvals",
        ((_APPROVALS, "await find_unsealed_ends(session, rows)", _NONE),),
        _ENDS,
    ),
    Mutation(
        "ends: what is shown of incidents",
        ((_INCIDENTS, "await find_unsealed_verdicts(session, rows)", _NONE),),
        _ENDS,
    ),
    Mutation(
        "ends: the verdict of a resolution",
        ((_INCIDENTS, "(await find_unsealed_verdicts(session, [row]))", _NONE),),
        _ENDS,
    ),
    Mutation(
        "ends: their words",
        ((_ENDINGS, ' and facts["detail"] == _sealed("detail", row.outcome)', ""),),
        _ENDS,
    ),
    Mutation(
        "ends: each row bears its seal",
        ((_ENDINGS, "if link.is_sealed(keeper.key)", "if link.mac"),),
        _ENDS,
    ),
)
