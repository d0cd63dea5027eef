"""Which names belong to secrets: of variables, fields, headers, options, labels.

A name is read by its words, however they are joined: DB_PASSWORD, dbPassword, db-password, --db.password.
"""

import itertools
import re
import unicodedata
from enum import IntEnum
from functools import lru_cache

_MOST_CHARACTERS = 200
# In lower case: every name of a secret has one of these. `is_harmless` rests on that.
STEMS = (
    "pass", "pw", "secret", "token", "key", "cred", "auth", "cookie", "dsn", "webhook", "session",
    "sig", "salt", "jwt", "licen", "bearer", "mnemonic", "community", "senha", "kennwort", "contrase",
    "wachtwoord", "salasana", "heslo", "parol",
)  # fmt: skip
# Too common within words to be looked for alone: what a name ends in.
SHORT = ("pin", "otp", "cvv")
# Not ASCII, so that a text with one is never taken for harmless.
FOREIGN_STEMS = (
    "密码", "口令", "密钥", "令牌", "пароль", "パスワード", "비밀번호", "lösenord", "hasło", "şifre",
    "jelszó",
)  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_PASSWORDS = frozenset({
    "password", "passwords", "passwd", "passphrase", "passcode", "pass", "pwd", "pw", "psw", "passw",
    "pswd", "passwort", "kennwort", "senha", "contrasena", "passe", "wachtwoord", "salasana", "heslo",
    "parola", "parol",
})  # fmt: skip
_SECRETS = frozenset({
    "secret", "secrets", "token", "tokens", "credential", "credentials", "cred", "creds", "apikey",
    "apikeys", "jwt", "bearer", "cookie", "cookies", "dsn", "authorization", "webhook", "webhooks",
    "mnemonic", "hmac", "passkey", "keypass", "authtoken", "masterauth", "community",
})  # fmt: skip
# in the middle of one long word, as in PGPASSWORD, clientsecret or AccountKey in lower case
_WITHIN = re.compile(
    r"passw(?:or)?d|passphrase|secret|token(?!i[sz])|apikey|credential|connectionstring"
    r"|(?:private|access|account|shared|encryption|signing|master|storage|api|license)key|(?<!by)(?<!com)pass$|pwd$"
)
_NOT_WITHIN = re.compile(r"secretar|bypass|compass|surpass|trespass|underpass|overpass|encompass|passenger")
# what a key is for that opens something
_KEYS = frozenset({
    "api", "access", "secret", "private", "encryption", "encrypt", "signing", "sign", "signature",
    "master", "account", "shared", "auth", "service", "license", "licence", "storage", "ssh", "deploy",
    "deployment", "app", "application", "client", "consumer", "session", "hmac", "jwt", "aes", "rsa",
    "pgp", "gpg", "crypto", "cipher", "crypt", "subscription", "integration", "ingest", "ingestion",
    "write", "admin", "root", "host", "function", "instrumentation", "security", "sas", "tls", "ssl",
    "wireguard", "vapid", "cookie", "hash", "decryption", "data", "user", "bot", "web", "server",
    "project", "organization", "org", "management",
})  # fmt: skip
_WEAK = frozenset({
    "key", "keys", "auth", "session", "sig", "signature", "salt", "license", "licence", "sid",
    "sessionid", "authentication",
})  # fmt: skip
# A name that ends so says something about a secret, or where it is; the value itself it doesn't have.
_ABOUT = frozenset({
    "name", "names", "namespace", "ref", "refs", "reference", "kind", "path", "paths", "file", "files",
    "filename", "dir", "directory", "folder", "type", "types", "source", "sources", "count", "counts",
    "limit", "limits", "length", "len", "size", "ttl", "expiry", "expires", "expire", "expired",
    "expiration", "lifetime", "age", "seconds", "minutes", "hours", "days", "ms", "timeout", "interval",
    "duration", "min", "max", "minimum", "maximum", "policy", "policies", "url", "urls", "uri", "uris",
    "endpoint", "endpoints", "host", "hosts", "hostname", "port", "ports", "addr", "address", "proto",
    "protocol", "service", "services", "server", "user", "username", "users", "email", "domain",
    "issuer", "audience", "audiences", "provider", "version", "enabled", "enable", "disabled",
    "disable", "required", "optional", "algorithm", "alg", "method", "mode", "format", "encoding",
    "mount", "mounts", "class", "store", "backend", "manager", "engine", "handler", "strategy", "index",
    "status", "state", "reason", "error", "errors", "usage", "used", "total", "per", "rate", "quota",
    "budget", "bucket", "window", "prefix", "suffix", "header", "headers", "field", "param",
    "parameter", "env", "var", "variable", "label", "annotation", "selector", "resource", "rotation",
    "rotated", "created", "updated", "at", "time", "timestamp", "date", "id", "ids", "arn", "ready",
    "valid", "invalid", "found", "missing", "mismatch", "exists", "affinity", "checksum", "review",
    "reviews", "request", "requests", "controller", "operator", "image", "replicas", "region", "zone",
    "authority", "through", "thru", "generation", "revision", "attempts", "retries", "failed",
    "failures", "succeeded", "action", "actions", "encryption", "hasher", "hashers", "login", "logins",
    "strength", "complexity", "history", "java", "go", "py", "js", "ts", "rb", "kt", "scala", "rs",
    "cs", "php", "yaml", "yml", "json", "conf", "so", "jar", "sh", "sql", "html", "xml", "txt", "md",
    "cpp", "toml", "ini", "properties", "crt", "cert", "pub", "config", "options", "settings",
    "provisioner", "driver", "recipe", "flow", "grant", "scope", "scopes",
})  # fmt: skip
_STILL = re.compile(r"(?:access|private)keyid$|secretid$|sessionid$|webhook(?:url|uri|endpoint)s?\d*$")
_NEVER = frozenset({
    "existing", "tokenizer", "public", "pub", "invalid", "bad", "wrong", "missing", "incorrect",
    "unexpected", "unknown",
})  # fmt: skip


class Strength(IntEnum):
    """How much a name says about its value."""

    NONE = 0
    WEAK = 1
    """It may name a secret: what looks like one is blanked."""
    SECRET = 2
    PASSWORD = 3
    """A secret that may be a plain word or a number."""


@lru_cache(maxsize=8192)
def weigh_name(name: str) -> Strength:
    """Return how much a name says about its value. Of a path with slashes the last part counts."""
    lower = name.lower()
    if not any(stem in lower for stem in (*STEMS, *FOREIGN_STEMS)) and not lower.endswith(SHORT):
        return Strength.NONE
    words = _split(name)
    return _weigh(words, "".join(words), lower) if words and "checksum" not in lower else Strength.NONE


def _weigh(words: list[str], joined: str, lower: str) -> Strength:  # noqa: PLR0911 -- a table of rules
    parts, foreign = set(words), any(stem in lower for stem in FOREIGN_STEMS)
    if _STILL.search(joined):
        return Strength.SECRET
    if words[-1] in _ABOUT or _NEVER & parts:
        return Strength.NONE
    if _PASSWORDS & parts or words[-1] in SHORT or foreign:
        return Strength.PASSWORD
    if _SECRETS & parts or any(map(_has_within, (*words, joined))):
        return Strength.PASSWORD if "pass" in joined or joined.endswith("pwd") else Strength.SECRET
    if _opens(words):
        return Strength.SECRET
    if joined.endswith("pw"):
        return Strength.PASSWORD
    return Strength.WEAK if _WEAK & parts or joined.endswith("key") else Strength.NONE


def is_plural(name: str) -> bool:
    """Whether a name counts things, as in `max_tokens`: a number is then no secret."""
    words = _split(name)
    return bool(words) and (words[-1].endswith("s") and not words[-1].endswith("ss"))


def _split(name: str) -> list[str]:
    last = name[-_MOST_CHARACTERS:].rstrip("/").rpartition("/")[2]
    plain = unicodedata.normalize("NFKD", last) if not last.isascii() else last
    words = [
        word.lower()
        for word in _WORD.findall("".join(one for one in plain if not unicodedata.combining(one)))
    ]
    while len(words) > 1 and words[-1].isdecimal():
        words.pop()
    return words


def _has_within(word: str) -> bool:
    return bool(_WITHIN.search(word)) and not _NOT_WITHIN.search(word)


def _opens(words: list[str]) -> bool:
    pairs = itertools.pairwise(words)
    return any(second in {"key", "keys"} and first in _KEYS for first, second in pairs)
