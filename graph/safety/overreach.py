"""What a model has no say in: how it ended, what people needn't do, approvals, stops, and mendgate itself.

A fence of patterns for the model's own reasons and diagnosis, which are free text. What is printed as the
report's added sentences passes a closed vocabulary as well (`graph.report.describing`).
"""

import re

_OVER = (
    r"over|past|closed|cleared|gone|done|finished|ended|settled|history|handled|contained|mitigated|averted"
    r"|under control|dealt with|taken care of|behind us|a non-?issue|nothing"
)
# Every repetition is bounded: a model chooses what is searched.
_PATTERNS = (
    # a success, an end, a state of health
    r"\b(resolved|mended|solved|cured|repaired|recovered|remediated|succeeded|successful(ly)?)\b",
    (
        r"\b(has|have|had|was|were|is|are|been|being|got|now)( (now|been|fully|already"
        r"|completely)){0,8} (fixed|restored)\b"
    ),
    (
        r"\b(is|are|was|were|works?|runs?|running|now|all|everything|looks?|seems?|stays?|remains?|back to)"
        r"( (is|are|now|all|completely|perfectly)){0,8} (healthy|fine|well|good|normal(ly)?|again|okay|ok"
        r"|safe|stable)\b"
    ),
    (
        r"\b(incident|outage|issue|problem|fault|crisis|emergency|danger|storm|disruption|downtime"
        r"|alert|alarm|it"
        r"|this)\b[^.;]{0,40}\b(is|are|was|were|has|have|been|'s)\b[^.;]{0,25}\b"
        rf"({_OVER})\b"
    ),
    (
        r"\b(all[- ]clear|false (alarm|positive)|no (real |actual )?(impact|danger|harm|risk|issue"
        r"|problem)s?|harmless|benign)\b"
    ),
    r"\b(no longer|not) (an? )?(issue|problem|danger|risk|incident|concern|broken|affected|urgent)\b",
    # what people needn't do, or are said to have done
    (
        r"\b(nobody|no[- ]one|no (human|person|people|operators?|engineers?|further|more|action|one"
        r"|need|intervention|review))\b"
    ),
    (
        r"\bnothing (\w+ )?(to (do|see|worry|fix|review|check)|needs?|more|else|left|happened|remains"
        r"|is (wrong|needed|required))\b"
    ),
    (
        r"\b(needn't|need not|needs no|don't (need|have|worry|bother)|do not (need|have|worry|bother)"
        r"|unnecessary|not (needed|necessary|required))\b"
    ),
    (
        r"\b(ignore|disregard|dismiss|stand down|go back to (sleep|bed)|(stop|cancel"
        r"|abort) (the )?(investigat|review|page|alert)\w*)\b"
    ),
    (
        r"\b(pre-?)?(approv|authori[sz]|review|sanction|endors|sign(ed)?[- ]off|vetted|green-?lit"
        r"|vouch|audit)\w*"
    ),
    # the gate itself
    (
        r"\b(kill[- _]?switch|emergency stop|freezes?|mendgate|guard ?rails?|safeguards?|quorum"
        r"|dry[- ]?run|digest of)\b"
    ),
    (
        r"\b(turn|switch|shut)(s|ed|ing)?( \w+){0,4} off\b|\bturn(s|ed|ing)? off\b|\b(disable|bypass"
        r"|circumvent|mute|silence|snooze|suppress)\w*"
    ),
    # Chinese
    r"(已|已经|得到|成功|完全|全部)(被)?(解决|修复|恢复|排除|消除|正常|处理|结束|关闭|缓解|控制)",
    r"(解决|修复|恢复|排除|处理)(了|成功|完成|完毕|正常)",
    (
        r"正常运行|运行正常|恢复正常|一切正常|状态(良好|正常)|告一段落|已无(大碍|风险|问题)"
        r"|没有(问题|风险|影响|危险|异常)"
    ),
    r"(故障|事件|问题|告警|事故|中断|危机)(已|已经|现在|都|现已)?(结束|过去|关闭|消失|了结|完结|不存在)",
    (
        r"无需|毋须|无须|不需要|不用|不必|没有?必要|没必要|别管|忽略|不予理会|误报|虚警"
        r"|放心|无害|安全的|很安全|可以(休息|放心|离开)"
    ),
    (
        r"没有人|任何人|无人|审批|批准|审核|授权|已获准|评审|急停|紧急停止|总开关|熔断开关"
        r"|停止开关|冻结|绕过|关闭|关掉|停用|禁用|静默|屏蔽"
    ),
)
_OVERREACHING = re.compile("|".join(f"(?:{one})" for one in _PATTERNS), re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
LEFT_OUT = "(left out: more than a model may say)"


def overreaches(text: str) -> bool:
    """Whether a text says something that a model has no say in, even to deny it."""
    return _OVERREACHING.search(" ".join(text.split())) is not None


def restrain(text: str) -> str:
    """Return a model's text without the sentences that overreach; where one was, that is said once."""
    if not overreaches(text):
        return text
    sentences = [one for one in _SENTENCES.split(text) if one.strip()]
    kept = [one.strip() for one in sentences if not overreaches(one)]
    told = " ".join([*kept, LEFT_OUT])
    return LEFT_OUT if overreaches(" ".join(kept)) else told
