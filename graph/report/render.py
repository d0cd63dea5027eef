"""The report: Markdown, from the ledger's facts. It says "resolved" only where the verdict is `verified`."""

from collections.abc import Sequence
from datetime import datetime

from graph.domain.incident import MODEL_SAYS, CaseFile, Ending
from graph.domain.languages import Language
from graph.domain.markdown import at, bullets, code, table, text
from graph.domain.proposal import Approval
from graph.domain.report_prose import Prose
from graph.report.appendix import show_evidence, show_timeline, show_unchecked
from graph.report.quoting import quote_mind
from graph.report.sections import explain, show_diagnosis, show_repair, show_verification
from graph.report.texts import Words

_MOST_ALERTS = 100
_MOST_INSTANCES = 20
_UNSURE = frozenset({"unknown", "executing"})


def render_report(
    case: CaseFile, ending: Ending, language: Language = "en", prose: Prose | None = None
) -> str:
    """Return the incident's report. `prose` is what a model adds, already checked."""
    return _Report(case, ending, Words.of(language), prose or Prose()).render()


class _Report:
    def __init__(self, case: CaseFile, ending: Ending, words: Words, prose: Prose) -> None:
        self._case = case
        self._incident = case.incident
        self._ending = ending
        self._words = words
        self._prose = prose
        self._proved = case.incident.verdict == "verified"

    def render(self) -> str:
        """Return the whole report; chapters without anything to say are left out."""
        case, words = self._case, self._words
        chapters = (
            ("overview", self._overview()),
            ("problem", self._problem()),
            ("process", self._process()),
            ("root_cause", self._root_cause()),
            ("solution", self._solution()),
            ("summary", self._summary()),
            ("unchecked", show_unchecked(case, words)),
            ("timeline", show_timeline(case, words)),
            ("evidence", show_evidence(case, words)),
        )
        told = [(title, body) for title, body in chapters if body]
        parts = [f"## {number}. {words(title)}\n\n{body}" for number, (title, body) in enumerate(told, 1)]
        return "\n\n".join([f"# {words('title', alert=text(self._incident.alertname))}", *parts]) + "\n"

    def _overview(self) -> str:
        incident, words = self._incident, self._words
        target = incident.target
        rows = [
            ("alert", text(incident.alertname)),
            ("severity", text(incident.severity)),
            ("namespace", text(target.namespace or "-") if target else "-"),
            ("target", text(target) if target else words("no_target")),
            ("affected", self._instances() or words("no_instances")),
            ("fired", at(self._case.group.first_fired_at())),
            ("received", at(incident.created_at)),
            ("status", self._outcome()),
            ("verdict", words(incident.verdict) if incident.verdict else words("no_verdict")),
            ("closed", at(self._closed_at())),
            ("incident", text(incident.id)),
        ]
        return table((words("item"), words("detail")), [(words(item), detail) for item, detail in rows])

    def _instances(self) -> str:
        names = dict.fromkeys(pod for alert in self._case.group.alerts if (pod := alert.labels.get("pod")))
        shown = [text(name) for name in list(names)[:_MOST_INSTANCES]]
        more = len(names) - len(shown)
        return ", ".join([*shown, *([self._words("more", count=more)] if more else [])])

    def _problem(self) -> str:
        words, alerts = self._words, self._case.group.alerts
        said = dict.fromkeys(
            alert.annotations.get("description") or alert.annotations.get("summary") or alert.name
            for alert in alerts
        )
        fired = "fired_one" if len(alerts) == 1 else "fired_many"
        rules = ", ".join(dict.fromkeys(code(alert.name) for alert in alerts))
        head = words(fired, count=len(alerts), rule=rules)
        shown = [text(each) for each in list(said)[:_MOST_INSTANCES]]
        if more := len(said) - len(shown):
            shown.append(words("more", count=more))
        parts = [head, bullets(shown), self._alerts(), self._left_out(), self._added(self._prose.problem)]
        return "\n\n".join(filter(None, parts))

    def _alerts(self) -> str:
        words = self._words
        rows = [
            (code(one.name), text(one.labels.get("pod", "-")), at(one.starts_at), words(one.status))
            for one in self._case.group.alerts[:_MOST_ALERTS]
        ]
        return table((words("alert"), words("pod"), words("since"), words("state")), rows)

    def _left_out(self) -> str:
        """Say how many alerts neither Alertmanager sent nor the table shows."""
        words, alerts = self._words, self._case.group.alerts
        more = len(alerts) - _MOST_ALERTS
        missing = max((entry.data.get("truncated", 0) for entry in self._case.timeline), default=0)
        told = [words("more", count=more)] if more > 0 else []
        return " ".join([*told, *([words("truncated", count=missing)] if missing else [])])

    def _process(self) -> str:
        case, words = self._case, self._words
        stages = (
            ("diagnosis", show_diagnosis(case, words)),
            ("repair", show_repair(case, words)),
            ("verification", show_verification(case, words)),
        )
        return "\n\n".join(
            f"### 3.{number} {words(name)}\n\n{body}" for number, (name, body) in enumerate(stages, 1)
        )

    def _root_cause(self) -> str:
        words, diagnosis = self._words, self._incident.diagnosis
        if diagnosis is None:
            return words("no_cause")
        cited = "".join(f" [{name}]" for name in diagnosis.evidence)
        objects = ", ".join(text(target) for target in diagnosis.root_causes) or words("no_target")
        found = words(
            "found_by",
            source=words(diagnosis.source),
            confidence=words(diagnosis.confidence),
            objects=objects,
        )
        if diagnosis.source == "model":
            found = f"{found} {words('model_words')}"
        # what a model says in a line may speak of the fix, too
        cause = self._quote(diagnosis.cause or diagnosis.summary)
        return "\n\n".join(filter(None, [f"**{cause}**{cited}", found, self._added(self._prose.root_cause)]))

    def _solution(self) -> str:
        words = self._words
        parts = (("measures", self._measures()), ("prevention", self._prevention()))
        told = [(title, body) for title, body in parts if body]
        return "\n\n".join(
            f"### 5.{number} {words(title)}\n\n{body}" for number, (title, body) in enumerate(told, 1)
        )

    def _measures(self) -> str:
        words, approvals = self._words, self._case.approvals
        done = [self._measure(one) for one in approvals if one.status == "applied"]
        if any(one.status in _UNSURE for one in approvals):
            done.append(words("change_unknown"))
        if not done:
            done.append(words("not_changed" if approvals else "no_change"))
        return bullets(done)

    def _measure(self, approval: Approval) -> str:
        words, proposal = self._words, approval.proposal
        changes = "; ".join(
            code(change) for change in proposal.diff if not change.path.startswith("metadata.annotations")
        )
        decisions = [
            words("decided", decision=words(one.verdict), by=text(one.by), at=at(one.at))
            for one in approval.decisions
        ]
        return words(
            "measure",
            target=text(proposal.target),
            changes=changes,
            decisions="; ".join(decisions),
        )

    def _prevention(self) -> str:
        words, diagnosis = self._words, self._incident.diagnosis
        advice = [self._suggest(item) for item in diagnosis.prevention] if diagnosis else []
        if any(one.status == "applied" and one.proposal.purpose == "fix" for one in self._case.approvals):
            advice.append(words("keep_source"))
        target = self._incident.target
        rolls_out = target is not None and target.kind == "Deployment"
        if rolls_out and self._case.approvals and not (diagnosis and diagnosis.prevention):
            advice.append(words("general"))
        return bullets(advice)

    def _summary(self) -> str:
        words, ending = self._words, self._ending
        done = self._incident.verification
        is_verdict = done is not None and ending.reason == done.reason
        reason = explain(done, words) if done and is_verdict else self._quote(ending.reason)
        parts = [words("summary_line", outcome=self._outcome(), reason=reason)]
        if ending.advice:
            parts += [words("to_do"), bullets(self._quote(item) for item in ending.advice)]
        parts.append(self._added(self._prose.summary))
        if self._prose.left_out:
            parts.append(words("left_out", count=self._prose.left_out))
        return "\n\n".join(filter(None, parts))

    def _added(self, sentences: Sequence[str]) -> str:
        """Return a model's sentences, marked as such."""
        if not sentences:
            return ""
        return f"{self._words('model_adds')}\n\n{bullets(f'“{text(each)}”' for each in sentences)}"

    def _suggest(self, advice: str) -> str:
        """Return the diagnosis' advice; a model's is said to be one's."""
        diagnosis = self._incident.diagnosis
        by_model = diagnosis is not None and diagnosis.source == "model"
        return self._words("model_suggests", advice=self._quote(advice)) if by_model else self._quote(advice)

    def _quote(self, said: str) -> str:
        by_model = True if said.startswith(MODEL_SAYS) else None
        return quote_mind(said, self._case, self._words, by_model=by_model)

    def _outcome(self) -> str:
        if self._ending.status == "resolved" and not self._proved:
            return self._words("unproved")
        return self._words(f"ended_{self._ending.status}")

    def _closed_at(self) -> datetime:
        return self._case.timeline[-1].at if self._case.timeline else self._incident.updated_at
