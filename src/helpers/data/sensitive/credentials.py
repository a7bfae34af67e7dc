"""Secrets in text: keys, tokens, passwords, private keys, found by the forms that their issuers publish.

A secret is recognised by its issuer's prefix, by its own frame (a PEM header, a JWT's three parts), or by a name and a
value next to each other ("password: …"). A random string without prefix, frame or name cannot be told from a hash or an
id and is not reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Hit(NamedTuple):
    """A find: its kind, where it stands in the text, and whether it is of a range reserved for inventions."""

    kind: str
    start: int
    end: int
    invented: bool = False


API_KEYS = re.compile(
    r"""(?<![A-Za-z0-9_])(?:
      (?:AKIA|ASIA)[A-Z2-7]{16}                            # AWS access key id
    | sk-(?:proj-|svcacct-|admin-|ant-|or-)?[A-Za-z0-9_-]{20,}   # OpenAI, Anthropic, OpenRouter
    | (?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}             # Stripe
    | AIza[A-Za-z0-9_-]{35}                                # Google
    | SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}       # SendGrid
    | (?:SK|AC)[0-9a-f]{32}                                # Twilio
    | key-[0-9a-f]{32}                                     # Mailgun
    | [0-9a-f]{32}-us\d{1,2}                               # Mailchimp
    | dapi[0-9a-f]{32}                                     # Databricks
    | GOCSPX-[A-Za-z0-9_-]{20,} | PMAK-[0-9a-f]{24}-[0-9a-f]{34}   # Google client secret, Postman
    | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}                   # Shopify
    | NRAK-[A-Z0-9]{27} | HRKU-[0-9a-f-]{36} | EZ[AT]K[0-9a-f]{54} | sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}   # New Relic …
    | LTAI[A-Za-z0-9]{12,20} | AKID[A-Za-z0-9]{32} | amzn\.mws\.[0-9a-f-]{36} | pat[A-Za-z0-9]{14}\.[0-9a-f]{64}
    | (?:gsk|xai|nvapi|r8|tgp_v1|fw|pplx|csk|lin_api|ntn|secret|rnd|re|whsec|sntrys|phc|phx|xkeysib|figd|shippo_live
      |shippo_test)[_-](?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{24,}
    )(?![A-Za-z0-9])""",
    re.VERBOSE,
)
"""Keys by the prefix that their issuer documents; the last line gathers issuers with the same plain form."""

TOKENS = re.compile(
    r"""(?<![A-Za-z0-9_])(?:
      gh[pousr]_[A-Za-z0-9]{30,} | github_pat_[A-Za-z0-9_]{40,}      # GitHub
    | gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_.-]{20,}                    # GitLab
    | xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,} | xapp-\d-[A-Za-z0-9-]{20,}   # Slack
    | npm_[A-Za-z0-9]{30,} | pypi-[A-Za-z0-9_-]{40,} | hf_[A-Za-z0-9]{30,}   # npm, PyPI, Hugging Face
    | do[opr]_v1_[0-9a-f]{64}                                        # DigitalOcean
    | EAA[A-Za-z0-9]{60,} | ya29\.[A-Za-z0-9_-]{20,}                 # Meta, Google OAuth
    | xox[cd]-[A-Za-z0-9%-]{20,} | hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}   # Slack
    | discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,} | [MNO][A-Za-z0-9]{23}\.[\w-]{6}\.[\w-]{27,38}
    | hvs\.[A-Za-z0-9_-]{24,} | GR1348941[A-Za-z0-9_-]{20} | dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}
    | dp\.[a-z]{2,5}\.[\w.]{40,}                                   # Doppler
    | (?:pscale_tkn|sbp|vercel|nfp|rubygems|api_org|CFPAT)[_-](?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{24,} | pul-[0-9a-f]{40}
    | AT[AC]TT3x[A-Za-z0-9_=-]{60,} | ATBB[A-Za-z0-9]{28,} | tok_(?=[a-z_]*[A-Z\d])[A-Za-z0-9]{20,}   # Atlassian …
    | \d{8,10}:AA[A-Za-z0-9_-]{33}                                     # Telegram
    | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,} # JSON web token
    )(?![A-Za-z0-9])""",
    re.VERBOSE,
)

KEY_WORD, NAMED_WORD = b"a" * 18, b"a" * 12
WORD_BYTES = bytes(
    97 if chr(byte) in "._:+/=~-" or chr(byte).isascii() and chr(byte).isalnum() else 32 for byte in range(256)
)
"""Letters, digits and the signs of keys become "a", all else a blank: a text whose words are all shorter than 18
holds no key or token of the two patterns above, nor a named one if they are shorter than 12. This finds out many times
faster than the patterns do."""

PRIVATE_KEY = re.compile(
    r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    r"(?=(?:[^-]|-(?!---)){0,600}?[A-Za-z0-9+/=]{20})"
    r"(?:(?:[^-]|-(?!---)){1,20000}(?:-{4,5} ?END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5})?)"
    r"|PuTTY-User-Key-File-\d: [^\n]{1,200}(?:\n[^\n]{0,200}){1,60}"
    r"|AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{50,60}",
)

_LINK = (
    r"""(?:['"`\])]{0,3}\s?\([^()\n]{1,20}\)"""
    r"""|\s(?:for|of|to|from|für|pour|para)\s[\w.@-]{1,30}(?:\s[\w.@-]{1,20}){0,2}?)?"""
    r"""["'`\])*]{0,3}\s{0,3}(?:[:=]>?|,|→|->|[–-](?=\s)|\||>|\(|\b(?:is|was|are|ist|lautet|est|es|è|é|to)\b:?)?"""
    r"""[\s"'`(*|]{0,4}"""
)
"""What stands between a secret's name and the secret."""

NAMED_KEY = re.compile(
    r"""(?P<name>(?:api|app|application|consumer|access|account|subscription|encryption|signing|private|master|service
        |licen[cs]e|stripe|openai|azure|google|maps|live|deploy|auth|secret)[ _-]?(?:secret[ _-]?)?(?:access[ _-]?)?key
        (?:[ _-]?id(?<!private_key_id))?
      |(?:client|app|consumer|signing|webhook|shared|jwt|session|api|aws|plaid|oauth|token)[ _-]?secret|(?<![a-z])secret
      |cl[ée]\ (?:d['’])?api|api[ -](?:schlüssel|sleutel)|(?:clave|chave|klucz|chiave)\ (?:(?:de|da|della)\ )?api
      |(?-i:(?!PRIMARY|CACHE|FOREIGN|SORT|PUBLIC|PARTITION)[A-Z][A-Z0-9]{1,20}_KEY)|--api-key)"""
    + _LINK
    + r"""(?<![A-Za-z0-9_])(?P<value>[A-Za-z0-9_+/=.~-]{12,})""",
    re.IGNORECASE | re.VERBOSE,
)

NAMED_TOKEN = re.compile(
    r"""(?:[a-z]{0,12}[_-]?tokens?(?:[ _-]secret)?|(?<![a-z])(?:jeton\ d['’]acc[èe]s|jeton|bearer(?:\ token)?|oauth
      |tkn|auth|sessionid|personal\ access\ token|authorization:?\ (?:token|basic|api-?key)))"""
    + _LINK
    + r"""(?<![A-Za-z0-9_])(?P<value>[A-Za-z0-9_+/=.~-]{16,})""",
    re.IGNORECASE | re.VERBOSE,
)

SECRET_BEFORE = re.compile(
    r"""(?<![\w/+=.-])(?P<value>[A-Za-z0-9_+/=~-]{20,128})['"`]?,?\ (?:is|was|as)\ (?:(?:my|the|our|your|a|an)\ )?
      (?:\w{2,12}\ )?(?P<name>api[ _-]?key|secret\ key|token)\b""",
    re.IGNORECASE | re.VERBOSE,
)
KEY_NAMES = ("key", "secret", "clé", "cle d", "schlüssel", "sleutel", "clave", "chave", "klucz", "chiave")
TOKEN_NAMES = ("token", "bearer", "jeton", "oauth", "tkn", "auth", "sessionid")
"""One of these stands in every match of the patterns above."""

PASSWORD_STEMS = (
    "pass", "pw", "p/w", "psw", "psk", "mdp", "clave", "wifi key", "wi-fi key", "wpa", "kennwort", "wachtwoord",
    "lösenord", "losenord", "contrase", "senha", "hasl", "hasł",
)  # fmt: skip
_NAME = r"""(?:pass[ -]?(?:words?|wd|wrd|phrase|code|wort|ord)|(?:(?<=mot\ de\ )|(?<=palavra-))passe|pwd|pswd|psw
      |p/?word|p/w|mdp|psk|(?:wi-?fi|wpa2?)\ key|(?<![a-z])pw(?![a-z])|kennwort|wachtwoord|l[öo]senord|contrase[ñn]a
      |senha|has[lł]o|(?<![a-z])clave"""
"""What passwords are called; the pattern goes on behind it, so its bracket stays open."""

NAMED_PASSWORD = re.compile(
    _NAME
    + r"""|(?:(?<![a-z])|(?<=user))pass(?=["'`\]]{0,2}\s{0,2}[:=]|\sis\s))
      (?:\s(?:for|to|of|on|für|pour|para)\s[\w.@-]{1,40}(?:\s[\w.@-]{1,20}){0,3}?)?
      (?:\s?\([^()\n]{1,20}\)|\s(?:now|currently|nueva|nova|actual|provisoire|tijdelijk))?
      ["'`\]*>]{0,3}\s{0,3}
      (?P<link>[:=]>?|[-=]>|→|➜|\.{3,20}:?|\|(?=[^\s|])|(?<=>)(?=[^\s<>])|,?\s?value=
        |\b(?:is|was|are|ist|lautet|war|est|es|c['’]est|é|är|er|now\ is|reset\sto|set\sto|changed\sto)\b:?)
      [\s*]{0,4}(?:(?P<quote>["'`“‘«„])\s?(?P<quoted>[^"'`“”‘’«»\n]{4,64}?)\s?["'`”’»“]|"""
    + r"""(?P<value>[^\s"'`“”’«»<>]{4,64}))""",
    re.IGNORECASE | re.VERBOSE,
)
PASSWORD_BESIDE = re.compile(
    _NAME
    + r"""|pass)(?:['’]?s?[\s"'`“‘«*(\[\]|;,.:=]{1,4}|\ ?[-–→]\ ?|\ to\ )
      (?=\S{0,62}\d)(?=\S{0,62}[A-Za-z])(?P<value>[A-Z\d]\S{4,62}[^\s.,;:?)\]"'`”’»*])(?=\s|$|[.,;:?)\]"'`”’»*])
    | passphrase(?:\s{0,2}[:=]\s{0,2}(?P<phrase>[a-z]{3,12}(?:[ -][a-z]{3,12}){2,7})(?=\s{0,2}(?:$|[.\n]))
        |\ (?P<joined>[a-z]{3,12}(?:-[a-z]{3,12}){2,7})(?!\w))
    | (?<=--)pass(?:word|wd)?[ =](?P<option>[^\s"'-]\S{3,62})""",
    re.VERBOSE | re.IGNORECASE,
)
"""A password right beside its name: a word of letters and digits, six characters or more; three words or more that fill
the line or hang together; or a command's option."""

PASSWORD_BEFORE = re.compile(
    r"""(?P<value>\S{4,64}?)['"`”’]?,?\ (?:is|was|as|that['’]s|which\ is)"""
    r"""\ (?:my|the|our|his|her|your|a)\ (?:\w{2,12}\ )?$"""
)

NO_PASSWORD_FORM = re.compile(
    r"""(?:sha|md|aes|utf|base|rsa|tls|oauth|iso|mp|web|win|ios|office|v)-?\d.* | [A-Z]{1,4}-\d+
    | \d+(?:st|nd|rd|th|x|mb|kb|gb|px|am|pm)
    | \d+[-–](?:char|hour|day|digit|step|minute|month|week|year).* | \S+@\S+\.\w+ | (?:https?|www)\S+""",
    re.IGNORECASE | re.VERBOSE,
)
"""Letters with digits that are something else where they merely stand beside the word: algorithms, orders, sizes."""

COMMAND_PASSWORD = re.compile(
    r"""\bcurl\b[^\n]{0,120}?\ (?:-u|--user)[ =]?["']?[^\s:"']{1,64}:(?P<curl>[^\s"']{4,64})
    | \bmysql\w{0,6}\b[^\n]{0,120}?\ -p(?P<mysql>[^\s"'-]\S{3,62})
    | \bsshpass\ -p\ ?["']?(?P<ssh>[^\s"']{4,64})
    | \bidentified\ (?:with\ \w{1,30}\ )?by\ ["'](?P<sql>[^\s"']{4,64})
    | \brequirepass\ (?P<redis>\S{4,64})
    | \b(?:login|log-?in|credentials?|creds|user(?:name)?\ ?/\ ?pass(?:word)?)\b[:=]?\s{1,2}(?:is\ |are\ |details:?\ )?
      [\w.@+-]{2,64}\ ?/\ ?(?=\S{0,62}\d)(?=\S{0,62}[A-Za-z])(?P<pair>[^\s/"',;]{6,64})""",
    re.IGNORECASE | re.VERBOSE,
)
COMMANDS = ("curl", "mysql", "sshpass", "identified", "requirepass", "log", "cred", "user")
"""One of these stands in every match of the pattern above."""

URL_PASSWORD = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'<>]{0,64}:(?P<value>[^\s/@\"'<>]{3,128})@[\w.-]", re.IGNORECASE
)

PLACEHOLDER = re.compile(
    r"""[*•xX.●_#-]+ | <.* | \[.* | \{.* | \$.* | %.* | .*\(.*
    | (?:your|my|the|a|an|example|sample|dummy|changeme|placeholder|redacted|removed|hidden|secret|none|null|nil|true
      |false|required|optional|string|str|text|varchar|undefined|empty|todo|tbd|insert|enter|invalid|incorrect|wrong|missing
      |expired|password|passwd|value|here)(?:[-_.\ ].*|here|key|token|password)?[.,;:!?]?
    | https?:.* | os\.environ.* | process\.env.* | env\..* | self\..* | config.*\..*
    | .*x{5,}.* | .*\.{3,}.* | .*1234567890abcdef.*""",
    re.IGNORECASE | re.VERBOSE,
)
"""Values that stand for a secret rather than being one."""

NOT_A_PASSWORD = re.compile(
    r"""not|no|now|still|too|very|so|the|that|this|case|being|been|about|at|in|on|for|to|of|and|or|as|by|from|with|my|your|our
    |it|weak|strong|long|short|old|new|same|good|bad|fine|safe|unsafe|correct|accepted|always|never|also|only|just|what|why
    |how|when|where|wrong|right|gone|lost|stuck|stolen|known|unknown|unique|different|empty|blank|needed|due|valid|must
    |should|please|can|something|nothing|anything|minimum|maximum|characters?|protected|public|(?:in)?sensitive
    |[a-z-]+(?:ed|ing|ly|ble|ive|ory)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words that follow "password is" or "password:" in ordinary sentences."""


def find(text: str) -> Iterator[Hit]:
    """Every secret in ``text``, kinds ``private_key``, ``password``, ``api_key``, ``token``; they may overlap."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters grow when lowered; places in the two texts must agree
        lower = text
    if "://" in text and "@" in text:
        yield from (
            Hit("password", *match.span("value")) for match in URL_PASSWORD.finditer(text) if _real(match["value"])
        )
    words = text.encode("ascii", "replace").translate(WORD_BYTES)
    if KEY_WORD in words:
        yield from (Hit("token", *match.span()) for match in TOKENS.finditer(text) if _real(match.group()))
        yield from (Hit("api_key", *match.span()) for match in API_KEYS.finditer(text) if _real(match.group()))
    if NAMED_WORD in words:
        yield from _named(text, lower)
    yield from _passwords(text, lower)


def _named(text: str, lower: str) -> Iterator[Hit]:
    """Keys and tokens that follow their name, or are named right behind."""
    if any(map(lower.__contains__, KEY_NAMES)):
        yield from (Hit("private_key", *match.span()) for match in PRIVATE_KEY.finditer(text))
        for match in NAMED_KEY.finditer(text):
            if _random(match["value"]):
                private = match["name"].lower().startswith("private")
                yield Hit("private_key" if private else "api_key", *match.span("value"))
    if any(map(lower.__contains__, TOKEN_NAMES)):
        yield from (Hit("token", *m.span("value")) for m in NAMED_TOKEN.finditer(text) if _random(m["value"]))
    if "key" in lower or "token" in lower:
        for match in SECRET_BEFORE.finditer(text):
            if _random(match["value"]):
                yield Hit("token" if "token" in match["name"].lower() else "api_key", *match.span("value"))


def _real(value: str) -> bool:
    return not PLACEHOLDER.fullmatch(value)


def _random(value: str) -> bool:
    """Whether a value looks made by a machine: letters and digits mixed, or one long run of hex."""
    value = value.rstrip(".")
    digits = sum(char.isdigit() for char in value)
    letters = sum(char.isalpha() for char in value)
    return _real(value) and digits >= 2 and letters >= 2 and len(set(value)) >= 6 and len(value) >= 12


def _passwords(text: str, lower: str) -> Iterator[Hit]:
    """Passwords behind a name. ``lower`` shows where the names may stand, so that the pattern is tried only there."""
    for stem in filter(lower.__contains__, PASSWORD_STEMS):
        at = lower.find(stem)
        while at >= 0:
            yield from _password_at(text, at)
            at = lower.find(stem, at + 1)
    if any(map(lower.__contains__, COMMANDS)):
        for match in COMMAND_PASSWORD.finditer(text):
            if _real(match[match.lastgroup]):
                yield Hit("password", *match.span(match.lastgroup))


def _password_at(text: str, at: int) -> Iterator[Hit]:
    """The password of the name that begins at ``at``: behind a link, right beside, or before it."""
    if (match := NAMED_PASSWORD.match(text, at)) and (hit := _password(text, match)):
        yield hit
    elif (match := PASSWORD_BESIDE.match(text, at)) and _beside(match):
        yield Hit("password", *match.span(match.lastgroup))
    elif (match := PASSWORD_BEFORE.search(text, max(0, at - 100), at)) and _chosen(match["value"]):
        yield Hit("password", *match.span("value"))


def _beside(match: re.Match) -> bool:
    value = match[match.lastgroup]
    return match.lastgroup != "value" or (_real(value) and not NO_PASSWORD_FORM.fullmatch(value))


def _password(text: str, match: re.Match) -> Hit | None:
    group = "quoted" if match["quote"] else "value"
    start = match.start(group)
    value = match[group].rstrip(".,;:!?)]}*|")
    end = start + len(value)
    if len(value) < 4 or PLACEHOLDER.fullmatch(value):
        return None
    if match[0][:4].lower() == "pass" and not match[0][4:5].isalpha():  # of tickets and tests, too
        return Hit("password", start, end) if _chosen(value) and not value.isdigit() else None
    if match["quote"] or match["link"].startswith("=") or _chosen(value) or _alone(text, end, value):
        return Hit("password", start, end)
    return None


def _chosen(value: str) -> bool:
    """Whether a value looks like a password and not like a word: a digit or a sign within, or mixed case."""
    inside = value[1:]
    return (
        any(char.isdigit() for char in value)
        or any(not char.isalnum() and char not in "-_'’.,/" for char in value)
        or (any(char.isupper() for char in inside) and any(char.islower() for char in value))
    )


def _alone(text: str, end: int, value: str) -> bool:
    """Whether a plain word ends its sentence or line, as "my password is sunflower." does."""
    after = text[end : end + 12]
    return not NOT_A_PASSWORD.fullmatch(value) and bool(re.match(r"\s*(?:$|[.!,;)\n]|and\b|but\b|if\b)", after))
