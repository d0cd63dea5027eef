"""Secrets that are known by their own shape, whatever stands before them.

The shapes are those that their issuers publish. Each has a literal sign, by which a text without any is let
through quickly. Quantifiers are bounded: a megabyte of hostile text must not take minutes.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from tools.redaction.marks import blank


class Shape(NamedTuple):
    """One shape. `signs` are literals of which a text that holds it has at least one; `what` it is."""

    what: str
    signs: tuple[str, ...]
    pattern: re.Pattern[str]


def _shape(what: str, signs: str, pattern: str) -> Shape:
    return Shape(what, tuple(signs.split()), re.compile(pattern))


# An escaped line break ends in a letter.
_EDGE = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
_PEM_END = r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
SHAPES = (
    _shape("private key", "-----BEGIN", rf"(?s)-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----.*?{_PEM_END}"),
    # its beginning was cut off, as where a log's last lines were read
    _shape("private key", "-----END", r"(?m)(?:^(?:\S{1,40}[ \t]){0,4}[A-Za-z0-9+/=]{8,80}[ \t]*\n){1,100}(?:\S{1,40}[ \t]){0,4}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"),
    _shape("PuTTY key", "PuTTY-User-Key-File", r"(?s)PuTTY-User-Key-File-\d:.*?(?:Private-MAC: ?[0-9a-f]{1,128}|\Z)"),
    _shape("age key", "AGE-SECRET-KEY", r"AGE-SECRET-KEY-1[A-Z0-9]{20,80}"),
    _shape("AWS access key", "AKIA ASIA ABIA ACCA", rf"{_EDGE}(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{12,20}}(?![A-Za-z0-9])"),
    _shape("AWS Bedrock key", "ABSK bedrock-api-key-", rf"{_EDGE}(?:ABSK[A-Za-z0-9+/]{{60,300}}|bedrock-api-key-[A-Za-z0-9+/=]{{20,2000}})"),
    _shape("Alibaba Cloud access key", "LTAI", rf"{_EDGE}LTAI[A-Za-z0-9]{{12,26}}(?![A-Za-z0-9])"),
    _shape("Tencent Cloud secret id", "AKID", rf"{_EDGE}AKID[A-Za-z0-9]{{28,40}}(?![A-Za-z0-9])"),
    _shape("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]_[A-Za-z0-9]{16,255}|github_pat_[A-Za-z0-9_]{20,255})"),
    _shape("GitLab token", "glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- glffct- GR1348941", r"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas|ffct)-[A-Za-z0-9_.-]{16,320}|GR1348941[A-Za-z0-9_-]{16,50})"),
    _shape("Slack token", "xox xapp-", r"(?:xox[a-z]-[A-Za-z0-9-]{8,400}|xoxe\.xox[bp]-[A-Za-z0-9-]{8,400}|xapp-\d-[A-Za-z0-9-]{8,400})"),
    _shape("Slack webhook", "hooks.slack", r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[\w/+-]{8,200}"),
    _shape("Discord webhook", "/api/webhooks/", r"/api/webhooks/\d{5,30}/[\w-]{20,200}"),
    _shape("Teams webhook", "webhook.office.com outlook.office", r"(?:webhook\.office\.com|outlook\.office(?:365)?\.com)/webhook[\w/@.-]{8,400}"),
    _shape("Feishu webhook", "/open-apis/bot/", r"/open-apis/bot/v2/hook/[\w-]{8,200}"),
    _shape("Zapier webhook", "hooks.zapier.com", r"hooks\.zapier\.com/hooks/[\w/-]{8,200}"),
    _shape("PagerDuty integration", "events.pagerduty.com", r"events\.pagerduty\.com/integration/[\w-]{8,100}"),
    _shape("Telegram token", ":AA", r"(?<!\d)\d{6,12}:AA[A-Za-z0-9_-]{30,40}"),
    _shape("Discord token", ".", rf"{_EDGE}[MNO][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\.[A-Za-z0-9_-]{{27,40}}"),
    _shape("Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_ sk_prod_ rk_prod_ whsec_", r"(?:[sr]k_(?:live|test|prod)_[A-Za-z0-9]{8,255}|whsec_[A-Za-z0-9+/=]{16,255})"),
    _shape("API key", "sk- pplx- gsk_ xai- r8_", rf"{_EDGE}(?:sk-(?:ant-|proj-|svcacct-|admin-|or-|lf-)?[A-Za-z0-9_-]{{20,400}}|pplx-[A-Za-z0-9]{{20,100}}|gsk_[A-Za-z0-9]{{20,100}}|xai-[A-Za-z0-9]{{20,120}}|r8_[A-Za-z0-9]{{20,80}})"),
    _shape("Google API key", "AIza", r"AIza[\w-]{30,45}"),
    _shape("Google OAuth secret", "GOCSPX- ya29. 1//0", r"(?:GOCSPX-[\w-]{20,60}|ya29\.[\w-]{20,2000}|(?<!\w)1//0[\w-]{30,200})"),
    _shape("npm token", "npm_", rf"{_EDGE}npm_[A-Za-z0-9]{{20,100}}"),
    _shape("PyPI token", "pypi-", r"pypi-[A-Za-z0-9_-]{40,1000}"),
    _shape("RubyGems key", "rubygems_", r"rubygems_[a-f0-9]{20,100}"),
    _shape("Docker token", "dckr_", r"dckr_(?:pat|oat)_[\w-]{16,100}"),
    _shape("Hugging Face token", "hf_ api_org_", rf"{_EDGE}(?:hf|api_org)_[A-Za-z0-9]{{20,100}}"),
    _shape("Vault token", "hvs. hvb. hvr. s.", rf"{_EDGE}(?:hv[sbr]\.[\w-]{{20,400}}|(?<![\w.])s\.[A-Za-z0-9]{{24}}(?![A-Za-z0-9]))"),
    _shape("Terraform token", ".atlasv1.", rf"{_EDGE}[A-Za-z0-9]{{10,20}}\.atlasv1\.[\w=-]{{40,100}}"),
    _shape("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{32,100}"),
    _shape("Heroku key", "HRKU-", r"HRKU-[\w-]{20,100}"),
    _shape("SendGrid key", "SG.", rf"{_EDGE}SG\.[\w-]{{16,32}}\.[\w-]{{16,64}}"),
    _shape("Mailgun key", "key-", rf"{_EDGE}(?:pub)?key-[a-f0-9]{{32}}"),
    _shape("Mailchimp key", "-us", rf"{_EDGE}[0-9a-f]{{32}}-us\d{{1,2}}(?!\w)"),
    _shape("Brevo key", "xkeysib- xsmtpsib-", r"x(?:key|smtp)sib-[a-f0-9]{32,100}-[A-Za-z0-9]{8,32}"),
    _shape("Twilio key", "SK", rf"{_EDGE}SK[0-9a-f]{{32}}(?![0-9A-Za-z])"),
    _shape("Square token", "EAAA sq0", rf"{_EDGE}(?:EAAA[\w-]{{40,100}}|sq0[a-z]{{3}}-[\w-]{{20,60}})"),
    _shape("Shopify token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,64}"),
    _shape("Grafana token", "glsa_ glc_ eyJrIjoi", r"(?:glsa_[A-Za-z0-9]{20,64}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/=]{32,500}|eyJrIjoi[A-Za-z0-9=]{40,500})"),
    _shape("Databricks token", "dapi", rf"{_EDGE}dapi[a-f0-9]{{32}}"),
    _shape("New Relic key", "NRAK- NRII- NRJS- NRAL NRRA-", r"(?:NR(?:AK|II|JS|RA|AA|SP)-[\w-]{16,64}|(?<![a-f0-9])[a-f0-9]{36}NRAL)"),
    _shape("Sentry token", "sntrys_ sntryu_", r"sntry[su]_[\w+/=]{20,600}"),
    _shape("Dynatrace token", "dt0", r"dt0[a-z]\d\d\.[A-Z0-9a-z]{8,40}\.[A-Za-z0-9]{32,100}"),
    _shape("Linear key", "lin_api_", r"lin_(?:api|oauth)_[A-Za-z0-9]{20,80}"),
    _shape("Notion token", "ntn_ secret_", rf"{_EDGE}(?:ntn_[A-Za-z0-9]{{30,80}}|secret_[A-Za-z0-9]{{40,50}})"),
    _shape("Figma token", "figd_", r"figd_[\w-]{20,80}"),
    _shape("Atlassian token", "ATATT ATBB ATCTT", rf"{_EDGE}(?:ATATT|ATCTT)3[\w=-]{{30,400}}|{_EDGE}ATBB[A-Za-z0-9]{{28,60}}"),
    _shape("Artifactory key", "AKC cmVmdGtu", rf"{_EDGE}(?:AKC[a-zA-Z0-9]{{30,100}}|cmVmdGtu[A-Za-z0-9]{{30,100}})"),
    _shape("Azure secret", "Q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{28,40}"),
    _shape("Azure key", "AzCa ACDb APIM AzSe AzFu +ASt +ABa +ACR", r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{20,80}(?:AzCa|ACDb|APIM|AzSe|AzFu|\+ASt|\+ABa|\+ACR)[A-Za-z0-9+/]{4,12}={0,2}"),
    _shape("OpenShift token", "sha256~", r"sha256~[\w-]{30,60}"),
    _shape("Postman key", "PMAK-", r"PMAK-[a-f0-9]{20,30}-[a-f0-9]{30,40}"),
    _shape("PlanetScale token", "pscale_", r"pscale_(?:tkn|oauth|pw)_[\w=.-]{20,80}"),
    _shape("Doppler token", "dp.", rf"{_EDGE}dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{{30,100}}"),
    _shape("1Password token", "ops_eyJ A3-", r"ops_eyJ[A-Za-z0-9+/=_-]{40,2000}|(?<!\w)A3-[A-Z0-9]{6}-[A-Z0-9]{5,11}(?:-[A-Z0-9]{5,6}){2,5}"),
    _shape("Pulumi token", "pul-", rf"{_EDGE}pul-[a-f0-9]{{40}}"),
    _shape("Buildkite token", "bkua_ bkaa_", r"bk[ua]a_[a-f0-9A-Za-z]{20,80}"),
    _shape("Supabase key", "sbp_ sb_secret_", r"(?:sbp_[a-f0-9]{20,80}|sb_secret_[\w-]{16,80})"),
    _shape("Fly.io token", "fo1_ fm1 fm2_", rf"{_EDGE}(?:fo1_[\w-]{{30,60}}|fm(?:1[ar]|2)_[A-Za-z0-9+/=]{{60,2000}})"),
    _shape("CircleCI token", "CCIPAT_", r"CCIPAT_[\w]{20,100}"),
    _shape("Airtable token", "pat", rf"{_EDGE}pat[A-Za-z0-9]{{14}}\.[a-f0-9]{{40,80}}"),
    _shape("Okta token", "SSWS", r"SSWS [\w-]{20,80}"),
    _shape("token of mendgate", "mg_", rf"{_EDGE}mg_[A-Za-z0-9_-]{{20,100}}"),
    _shape("JWT", "eyJ", rf"{_EDGE}eyJ[A-Za-z0-9_-]{{6,8192}}\.[A-Za-z0-9_-]{{6,16384}}(?:\.[A-Za-z0-9_-]{{0,8192}}){{0,3}}"),
    _shape("hash of a password", "$2 $6$ $5$ $1$ $argon2 {SSHA pbkdf2_", r"(?:\$2[abxy]\$\d\d\$[./A-Za-z0-9]{40,60}|\$(?:1|5|6|y)\$[^\s:$]{1,40}\$[./A-Za-z0-9$]{16,120}|\$argon2(?:id|i|d)\$[\w$=,+/.-]{20,200}|\{SSHA\d{0,3}\}[A-Za-z0-9+/=]{16,120}|pbkdf2_sha\d{1,3}\$\d{1,9}\$[\w$+/=.-]{16,200})"),
)  # fmt: skip


def has_sign(text: str) -> bool:
    """Whether a text may hold one of the shapes: it has one of their signs."""
    return _ANY_SIGN.search(text) is not None


def hide_shapes(text: str) -> str:
    """Blank whatever has one of the shapes."""
    for shape in SHAPES:
        if any(sign in text for sign in shape.signs):
            text = shape.pattern.sub(_blank_as(shape.what), text)
    return text


def _blank_as(what: str) -> Callable[[re.Match[str]], str]:
    mark = blank(what)
    return lambda _match: mark


# of a sign that many texts have, a little more of its shape is asked for
_COMMON = {
    ".": r"[MNO][\w-]{23,27}\.[\w-]{6}\.", "s.": r"(?<![\w.])s\.[A-Za-z0-9]{24}", "pat": r"pat[A-Za-z0-9]{14}\.",
    "SK": r"SK[0-9a-f]{32}", "sk-": r"sk-[\w-]{20}", "-us": r"[0-9a-f]{6}-us\d", "mg_": r"mg_[\w-]{20}",
    "key-": r"key-[a-f0-9]{32}", ":AA": r":AA[\w-]{30}", "hf_": r"hf_[A-Za-z0-9]{20}", "$2": r"\$2[abxy]\$",
    "dp.": r"dp\.[a-z]{2,5}\.[\w.-]{30}", "secret_": r"secret_[A-Za-z0-9]{40}", "A3-": r"A3-[A-Z0-9]{6}-",
}  # fmt: skip
_ANY_SIGN = re.compile(
    "|".join(dict.fromkeys(_COMMON.get(one) or re.escape(one) for shape in SHAPES for one in shape.signs))
)
