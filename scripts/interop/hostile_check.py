"""A table of hostile tokens: keygate refuses each for the reason that its row names, and takes each near-miss beside them.

A row is a name, a token, the codes of which one is expected (ACCEPTED for a near-miss), and what is asked otherwise than
usual. The tag is right wherever the row is not about the tag, so a row is refused for what it says, not for its tag.
"""

import json
import sys
from collections.abc import Iterator

import jwt

from access_token import ACCOUNT, AUDIENCE, DAY, ISSUER, KEY, KID, LONGEST, ORGANIZATION, SCOPE
from access_token import Example, Tally, base64url, forge, from_base64url, header, sign, tag

NOW = 1_800_000_000
ISSUED = NOW - 60
EXPIRY = ISSUED + 3600
OTHER_KEY = KEY[::-1]
# In every token, and never in an answer that refuses it.
CANARY = "canary-9b2f6d1c"

CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": ACCOUNT,
    "client_id": ACCOUNT,
    "org": ORGANIZATION,
    "jti": CANARY,
    "iat": ISSUED,
    "nbf": ISSUED,
    "exp": EXPIRY,
    "scope": SCOPE,
}

ACCEPTED = "accepted"
MALFORMED = "malformed"
HEADER = "token_header"
ENCODING = "token_encoding"
SIGNATURE = "token_signature"
BAD_CLAIMS = "token_claims"

Row = tuple[str, str, tuple[str, ...], dict]


def row(name: str, token: str, *codes: str, **asked) -> Row:
    return name, token, codes, asked


def payload(**literals: str | None) -> str:
    """The payload with these claims written as given, JSON literals; None leaves one out, and unknown ones come last."""
    members = {name: json.dumps(value) for name, value in CLAIMS.items()} | literals
    return "{" + ",".join(f'"{name}":{literal}' for name, literal in members.items() if literal is not None) + "}"


def token(**literals: str | None) -> str:
    """A token that is right but for these claims."""
    return forge(header(), payload(**literals))


def appended(members: str) -> str:
    """A token with these members, as text, after all that it needs."""
    return forge(header(), payload()[:-1] + members + "}")


# --- How the command is used ----------------------------------------------------------------------------------------


def misuse(example: Example, tally: Tally) -> None:
    """What is wrong with the command itself is told from a token that is refused."""
    good = token()
    usual = ["--kid", KID, "--issuer", ISSUER, "--audience", AUDIENCE, "--now", str(NOW)]
    short, zero = example.key_file(KEY[:31]), example.key_file(bytes(32))
    no_base64 = example.folder / "no-base64"
    no_base64.write_text("?" * 44)
    key = example.key_file(KEY, end="")
    answer = example.run("verify", "--key-file", key, *usual, good)
    tally.check("a key file without a newline", told(answer.claims(), good), answer)
    for what, arguments in {
        "nothing": [],
        "an unknown command": ["sign", "--key-file", key, *usual, good],
        "no token": ["verify", "--key-file", key, *usual],
        "no key file": ["verify", *usual, good],
        "an unknown option": ["verify", "--key-file", key, "--leeway-of", "9", *usual, good],
        "a key file that is not there": ["verify", "--key-file", str(example.folder / "none"), *usual, good],
        "a key of 31 bytes": ["verify", "--key-file", short, *usual, good],
        "a key of zeros": ["verify", "--key-file", zero, *usual, good],
        "a key that is no base64": ["verify", "--key-file", str(no_base64), *usual, good],
        "a time that is no number": ["verify", "--key-file", key, *usual[:-1], "soon", good],
    }.items():
        answer = example.run(*arguments)
        proper = answer.exit_code == 2 and answer.errors and not answer.output and "panicked" not in answer.errors
        tally.check(f"misuse: {what}", bool(proper), answer)


# --- Near-misses ----------------------------------------------------------------------------------------------------


def near_misses() -> Iterator[Row]:
    """Each is taken: what is refused further down differs from one of these by what its row says."""
    scopes = " ".join(f"read@p{number}/" for number in range(64))
    reordered = dict(reversed(CLAIMS.items()))
    tokens = {
        "the token that all others are made of": token(),
        "unknown members": appended(',"x":1,"y":[{"a":null}],"Exp":0,"expires":"soon"'),
        "a name written with escapes": forge(header(), payload().replace('"exp"', '"\\u0065xp"')),
        "a value written with escapes": token(iss=json.dumps(ISSUER).replace("/", "\\/")),
        "members in reverse": forge(header(), json.dumps(reordered, separators=(",", ":"))),
        "spaces between members": forge(header(), json.dumps(CLAIMS)),
        "newlines between members": forge(header(), json.dumps(CLAIMS, indent=2)),
        # The ends of a header's value are trimmed, and a scheme may have many spaces after it.
        "spaces before, spaces and a tab after": f"  {token()} \t ",
        # What is ignored is skipped without recursion.
        "arrays 600 deep in an unknown member": appended(',"x":' + "[" * 600 + "]" * 600),
        "objects 400 deep in an unknown member": appended(',"x":' + '{"a":' * 400 + "1" + "}" * 400),
        "a number of 400 digits in an unknown member": appended(',"x":1' + "0" * 400),
        "the generation 0": token(gen="0"),
        "a large generation": token(gen="4294967296"),
        "64 scopes": token(scope=json.dumps(scopes)),
        "issued in the future": token(iat=str(NOW + 600)),
        "not-before is now": token(nbf=str(NOW)),
        "expiry in a second": token(exp=str(NOW + 1)),
        "a second of life": token(iat=str(NOW), nbf=str(NOW), exp=str(NOW + 1)),
        "not-before a second before expiry, and that is now": token(nbf=str(NOW), exp=str(NOW + 1)),
        "a life of exactly a day": token(exp=str(ISSUED + DAY)),
        "an account of 64 characters": token(sub=f'"{"a" * 64}"', client_id=f'"{"a" * 64}"'),
        "an organization of 64 characters": token(org=f'"{"-_" * 32}"'),
        "a token id of 64 visible characters": token(jti=json.dumps("!~'\"\\" + "x" * 59)),
        f"{LONGEST} bytes": of_length(LONGEST),
    }
    for name, text in tokens.items():
        yield row(name, text, ACCEPTED)
    yield row("a header with spare bits, all zero", forge(header("key-2026"), payload()), ACCEPTED, kid="key-2026")
    yield row("the longest key id", forge(header("k" * 64), payload()), ACCEPTED, kid="k" * 64)
    yield row("a key id of every other kind of character", forge(header("._-aZ0"), payload()), ACCEPTED, kid="._-aZ0")


def of_length(length: int) -> str:
    """A token of so many bytes, by an unknown member."""
    spent = len(token()) - len(base64url(payload().encode()))
    wanted = (length - spent) * 3 // 4
    text = appended(f',"pad":"{"x" * (wanted - len(payload()) - len(_PAD))}"')
    assert len(text) == length, (len(text), length)
    return text


_PAD = ',"pad":""'


# --- The header -----------------------------------------------------------------------------------------------------


def algorithms() -> Iterator[Row]:
    names = {"kid": KID, "typ": "at+jwt"}
    unsecured = jwt.encode(CLAIMS, None, algorithm=None, headers=names)
    yield row("alg none without a tag, by PyJWT", unsecured, MALFORMED)
    yield row("alg none with the tag of HS256", sign(*unsecured.split(".")[:2]), HEADER)
    yield row("alg none with a tag of zeros", unsecured + "A" * 43, HEADER)
    for alg in ("HS384", "HS512"):
        yield row(f"{alg} by PyJWT", jwt.encode(CLAIMS, KEY, algorithm=alg, headers=names), HEADER)
    others = ["None", "NONE", "nOnE", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "A128KW", "dir"]
    others += ["hs256", "Hs256", "HS256 ", " HS256", "HS2561", "HS25", "HMAC", "SHA256", "sha256", "", "HS256\\u0000"]
    for alg in others:
        yield row(f"alg {alg!r} with the tag of HS256", forge(header().replace("HS256", alg), payload()), HEADER)
    for alg in ("null", "256", "true", '["HS256"]', '{"alg":"HS256"}'):
        yield row(f"alg is {alg}", forge(header().replace('"HS256"', alg, 1), payload()), HEADER)
    yield row("no alg", forge(f'{{"kid":"{KID}","typ":"at+jwt"}}', payload()), HEADER)


def header_members() -> Iterator[Row]:
    more = {
        "jku": '"https://evil.example/jwks.json"',
        "jwk": '{"kty":"oct","k":"AAAA","alg":"HS256"}',
        "x5u": '"https://evil.example/cert.pem"',
        "x5c": '["AAAA"]',
        "x5t": '"AAAA"',
        "crit": '["exp"]',
        "cty": '"JWT"',
        "b64": "false",
        "zip": '"DEF"',
        "enc": '"A256GCM"',
        "nonce": '"1"',
    }
    for name, literal in more.items():
        yield row(f"{name} after the others", forge(f'{header()[:-1]},"{name}":{literal}}}', payload()), HEADER)
        yield row(f"{name} before the others", forge(f'{{"{name}":{literal},{header()[1:]}', payload()), HEADER)
    kid, typ, alg = f'"kid":"{KID}"', '"typ":"at+jwt"', '"alg":"HS256"'
    texts = {
        "kid first": f"{{{kid},{alg},{typ}}}",
        "typ first": f"{{{typ},{alg},{kid}}}",
        "typ before kid": f"{{{alg},{typ},{kid}}}",
        "alg last": f"{{{kid},{typ},{alg}}}",
        "alg twice": f"{{{alg},{alg},{kid},{typ}}}",
        "alg none after alg": f'{{{alg},{kid},{typ},"alg":"none"}}',
        "alg none before alg": f'{{"alg":"none",{alg},{kid},{typ}}}',
        "kid twice": f'{{{alg},{kid},"kid":"other",{typ}}}',
        "typ twice": f"{{{alg},{kid},{typ},{typ}}}",
        "a name with an escape": header().replace('"alg"', '"\\u0061lg"'),
        "a value with an escape": header().replace("HS256", "HS\\u003256"),
        "a name in upper case": header().replace('"alg"', '"ALG"'),
        "a space after a colon": header().replace(":", ": ", 1),
        "a space after a comma": header().replace(",", ", ", 1),
        "a space at the end": header() + " ",
        "a newline at the end": header() + "\n",
        "a space before the brace": header()[:-1] + " }",
        "NUL at the end": header() + "\0",
        "data at the end": header() + "{}",
        "a trailing comma": header()[:-1] + ",}",
        "no closing brace": header()[:-1],
        "single quotes": header().replace('{"', "{'").replace('"', "'").replace("{'", '{"', 1),
    }
    for name, text in texts.items():
        yield row(f"header: {name}", forge(text, payload()), HEADER)
    # Parts that do not begin with eyJ are no access tokens at all.
    for name, text in {
        "a space before": " " + header(),
        "a space in front of the first name": "{ " + header()[1:],
        "a newline in front of the first name": "{\n" + header()[1:],
        "a BOM before": "\ufeff" + header(),
        "an array": f"[{header()}]",
        "a string": json.dumps(header()),
        "null": "null",
        "an empty object": "{}",
        "an empty name": '{"":0}',
    }.items():
        yield row(f"header: {name}", forge(text, payload()), "unknown_kind", MALFORMED, HEADER)


def key_ids() -> Iterator[Row]:
    yield row("kid of another key, and its tag", forge(header("key-27"), payload(), OTHER_KEY), HEADER)
    kids = ["key-27", "KEY-26", "key-2", "key-266", " key-26", "key-26 ", "key-26\\n", "key\\u002d26", "*", "%", "."]
    kids += ["../../etc/passwd", "/dev/null", "..\\\\..\\\\key", "https://evil.example/k", "key-26' OR '1'='1"]
    kids += ["key-26|true", "key-26\\u0000", "$(id)", "k" * 65, "k" * 1000, "ключ", "ｋey-26"]
    for kid in kids:
        yield row(f"kid {kid[:40]!r} of {len(kid)} characters", forge(header(kid), payload()), HEADER)
    yield row("kid empty", forge(header(""), payload()), HEADER)
    yield row("kid absent", forge('{"alg":"HS256","typ":"at+jwt"}', payload()), HEADER)
    yield row("kid absent, by PyJWT", jwt.encode(CLAIMS, KEY, headers={"typ": "at+jwt"}), HEADER)
    for kid in ("26", "null", "true", f'["{KID}"]', f'{{"kid":"{KID}"}}'):
        yield row(f"kid is {kid}", forge(header().replace(f'"{KID}"', kid), payload()), HEADER)


def types() -> Iterator[Row]:
    others = ["JWT", "jwt", "application/at+jwt", "AT+JWT", "At+Jwt", "at+JWT", "at jwt", "at+jwt ", "", "dpop+jwt"]
    for typ in [*others, "at\\u002bjwt"]:
        yield row(f"typ {typ!r}", forge(header().replace("at+jwt", typ), payload()), HEADER)
    yield row("typ as PyJWT gives it", jwt.encode(CLAIMS, KEY, headers={"kid": KID}), HEADER)
    yield row("typ absent", forge(f'{{"alg":"HS256","kid":"{KID}"}}', payload()), HEADER)
    for typ in ("null", "1", '["at+jwt"]'):
        yield row(f"typ is {typ}", forge(header().replace('"at+jwt"', typ), payload()), HEADER)


# --- Claims ---------------------------------------------------------------------------------------------------------


def presence() -> Iterator[Row]:
    for name, value in CLAIMS.items():
        literal = json.dumps(value)
        yield row(f"{name} missing", token(**{name: None}), BAD_CLAIMS)
        yield row(f"{name} null", token(**{name: "null"}), BAD_CLAIMS)
        yield row(f"{name} twice, the same", appended(f',"{name}":{literal}'), BAD_CLAIMS)
        yield row(f"{name} twice, the second null", appended(f',"{name}":null'), BAD_CLAIMS)
        yield row(f"{name} twice, once with escapes", appended(f',"\\u{ord(name[0]):04x}{name[1:]}":{literal}'), BAD_CLAIMS)
        cased = forge(header(), payload().replace(f'"{name}":', f'"{name.capitalize()}":'))
        yield row(f"{name} in another case", cased, BAD_CLAIMS)
        in_a_list = token(**{name: f"[{literal}]"})
        yield row(f"{name} in a list", in_a_list, BAD_CLAIMS)
        yield row(f"{name} in an object", token(**{name: f'{{"{name}":{literal}}}'}), BAD_CLAIMS)
    yield row("gen twice", appended(',"gen":1,"gen":1'), BAD_CLAIMS)
    yield row("an unknown member twice", appended(',"x":1,"x":1'), BAD_CLAIMS)
    yield row("an unknown member twice, once with escapes", appended(',"x":1,"\\u0078":2'), BAD_CLAIMS)
    yield row("an unknown member three apart", forge(header(), '{"x":1,' + payload()[1:-1] + ',"x":1}'), BAD_CLAIMS)
    yield row("an unknown member twice, another between", appended(',"x":1,"y":1,"x":1'), BAD_CLAIMS)
    yield row("an empty name twice", appended(',"":1,"":2'), BAD_CLAIMS)


def numbers() -> Iterator[Row]:
    for name in ("exp", "nbf", "iat"):
        value = CLAIMS[name]
        literals = {
            "a float": f"{value}.0",
            "a float with a fraction": f"{value}.5",
            "with an exponent of 0": f"{value}e0",
            "with an exponent": f"{value / 1e9}e9",
            "with a capital exponent": f"{value}E0",
            "a string": f'"{value}"',
            "an empty string": '""',
            "a date": '"2027-01-15T08:00:00Z"',
            "true": "true",
            "2^63": str(2**63),
            "2^64": str(2**64),
            "2^64 more than it should be": str(2**64 + value),
            "2^32 more than it should be": str(2**32 + value),
            "of 400 digits": "1" + "0" * 400,
            "1e400": "1e400",
            "of 2,000 digits": "9" * 2000,
            "with a leading zero": f"0{value}",
            "with a plus": f"+{value}",
            "in base 16": hex(value),
            "with an underscore": "1_800_000_000",
            "NaN": "NaN",
            "Infinity": "Infinity",
            "-Infinity": "-Infinity",
            "nothing": "",
        }
        for what, literal in literals.items():
            yield row(f"{name} {what}", token(**{name: literal}), BAD_CLAIMS)
        yield row(f"{name} negative zero", token(**{name: "-0"}), BAD_CLAIMS)
        yield row(f"{name} negative zero as a float", token(**{name: "-0.0"}), BAD_CLAIMS)
    no_generation = ["-1", "-0", '"1"', "null", "1.0", "1e3", "true", "[1]", "{}"]
    for literal in [*no_generation, str(2**64), str(-(2**63)), "1" + "0" * 400]:
        yield row(f"gen is {literal[:24]}", token(gen=literal), BAD_CLAIMS)


def times() -> Iterator[Row]:
    yield row("expiry is now", token(exp=str(NOW)), "expired")
    yield row("expiry a second ago", token(exp=str(NOW - 1)), "expired")
    last_year = str(NOW - 365 * DAY)
    yield row("expired a year ago", token(iat=last_year, nbf=last_year, exp=str(NOW - 364 * DAY)), "expired")
    yield row("asked at expiry", token(), "expired", now=EXPIRY)
    yield row("asked in the year 9999", token(), "expired", now=253_402_300_799)
    yield row("asked at the highest time", token(), "expired", now=2**63 - 1)
    yield row("asked at the lowest time", token(), "not_yet_valid", now=-(2**63))
    yield row("not-before in a second", token(nbf=str(NOW + 1)), "not_yet_valid")
    yield row("not-before a second before expiry", token(nbf=str(EXPIRY - 1)), "not_yet_valid")
    yield row("asked a second before not-before", token(), "not_yet_valid", now=ISSUED - 1)
    yield row("asked at the epoch", token(), "not_yet_valid", now=0)
    yield row("not-before is expiry", token(nbf=str(EXPIRY)), BAD_CLAIMS)
    yield row("not-before after expiry", token(nbf=str(EXPIRY + 1)), BAD_CLAIMS)
    yield row("expiry is issued-at", token(iat=str(EXPIRY)), BAD_CLAIMS)
    yield row("expiry before issued-at", token(iat=str(EXPIRY + 1)), BAD_CLAIMS)
    yield row("a life of a day and a second", token(exp=str(ISSUED + DAY + 1)), BAD_CLAIMS)
    yield row("a life of a year", token(exp=str(ISSUED + 365 * DAY)), BAD_CLAIMS)
    yield row("issued at the epoch", token(iat="0"), BAD_CLAIMS)
    yield row("expiry negative", token(exp="-1"), BAD_CLAIMS)
    low, high = -(2**63), 2**63 - 1
    yield row("all times the highest", token(iat=str(high), nbf=str(high), exp=str(high)), BAD_CLAIMS)
    yield row("all times the lowest", token(iat=str(low), nbf=str(low), exp=str(low)), BAD_CLAIMS)
    yield row("a life over all times", token(iat=str(low), nbf=str(low), exp=str(high)), BAD_CLAIMS)
    yield row("expiry the highest", token(exp=str(high)), BAD_CLAIMS)
    yield row("issued at the lowest time", token(iat=str(low)), BAD_CLAIMS)
    yield row("a day at the lowest times", token(iat=str(low), nbf=str(low), exp=str(low + DAY)), BAD_CLAIMS, "expired")
    # A day that begins where no day more fits.
    late = {"iat": str(high - 1), "nbf": str(high - 1), "exp": str(high)}
    yield row("a second at the highest times", token(**late), BAD_CLAIMS, "not_yet_valid")


def audiences_and_issuers() -> Iterator[Row]:
    for name, right in (("aud", AUDIENCE), ("iss", ISSUER)):
        code = {"aud": "token_audience", "iss": "token_issuer"}[name]
        others = ["other.example", right + " ", " " + right, right.upper(), right.title(), right + "/", right + "."]
        others += [right[:-1], right + ".evil.example", f"{right},{right}", f"{right} {right}", right + "\0"]
        others += [right + "\n", "*", ""]
        others += [right.replace("a", "а", 1), right.replace(".", "%2E"), right.replace("e", "é", 1)]
        for other in others:
            yield row(f"{name} {other!r}", token(**{name: json.dumps(other)}), code)
        for literal in (f'["{right}","other.example"]', "[]", f'[["{right}"]]', "{}", f'{{"{right}":true}}', "0", "true"):
            yield row(f"{name} is {literal}", token(**{name: literal}), BAD_CLAIMS)
    yield row("other audience, as one does", token(aud='"other.example"'), "token_audience")
    yield row("other issuer, as one does", token(iss='"https://other.example"'), "token_issuer")
    yield row("asked for another audience", token(), "token_audience", audience=AUDIENCE + ".test")
    yield row("asked for another issuer", token(), "token_issuer", issuer=ISSUER + "/")
    swapped = token(iss=json.dumps(AUDIENCE), aud=json.dumps(ISSUER))
    yield row("issuer and audience in each other's place", swapped, "token_issuer")


def identities() -> Iterator[Row]:
    yield row("client_id of another account", token(client_id='"sa-2"'), BAD_CLAIMS)
    yield row("sub of another account", token(sub='"sa-2"'), BAD_CLAIMS)
    yield row("client_id in another case", token(client_id=json.dumps(ACCOUNT.upper())), BAD_CLAIMS)
    for bad in ("", "a" * 65, "a b", "a.b", "a:b", "a%2Fb", "ä", "a\n", "a\0", " a", "*"):
        literal = json.dumps(bad)
        yield row(f"account {bad[:20]!r}", token(sub=literal, client_id=literal), BAD_CLAIMS)
    yield row("account is a number", token(sub="1", client_id="1"), BAD_CLAIMS)
    for bad in ("", "o" * 65, "org/1", "org 1", "org.1", "org+1", "*", "örg", "../org-1", "org-1\n"):
        yield row(f"organization {bad[:20]!r}", token(org=json.dumps(bad)), BAD_CLAIMS)
    for bad in ("", "j" * 65, "a b", "a\tb", "é", "a\x7f", "a\n"):
        yield row(f"jti {bad[:20]!r}", token(jti=json.dumps(bad)), BAD_CLAIMS)
    for name in ("sub", "client_id", "org", "jti", "scope"):
        for literal in ("1", "true", "{}", '"\\ud800"', '"a'):
            yield row(f"{name} is {literal}", token(**{name: literal}), BAD_CLAIMS)


def scopes() -> Iterator[Row]:
    bad = {
        "empty": "",
        "a space": " ",
        "a double space": f"{SCOPE}  *@/",
        "a space before": f" {SCOPE}",
        "a space after": f"{SCOPE} ",
        "a tab between": f"{SCOPE}\t*@/",
        "a newline between": f"{SCOPE}\n*@/",
        "a no-break space between": f"{SCOPE}\u00a0*@/",
        "a comma between": f"{SCOPE},*@/",
        "no action": "@web/prod:/app/**",
        "an action alone": "read",
        "an unknown action": "admin@web/prod:/app/**",
        "an action in another case": "Read@web/prod:/app/**",
        "an action twice": "read,read@web/prod:/app/**",
        "a star beside an action": "*,read@web/",
        "a path that goes up": "read@web/prod:/app/../**",
        "a path without its root": "read@web/prod:app/**",
        "a path with an empty part": "read@web/prod://app",
        "no environment": "read@web/:/app",
        "an environment alone": "read@web/prod",
        "no project": "read@/prod:/app",
        "a bad one after a good one": f"{SCOPE} nonsense",
        "a bad one before a good one": f"nonsense {SCOPE}",
        "non-ASCII": "read@wéb/",
        "percent signs": "read@web%2F",
        "a text of 1,200 bytes": "read@web/prod:/" + "a" * 1185,
        "65": " ".join(f"read@p{number}/" for number in range(65)),
        "300": " ".join(["*@/"] * 300),
    }
    for name, scope in bad.items():
        yield row(f"scopes: {name}", token(scope=json.dumps(scope)), BAD_CLAIMS)
    yield row("scopes in a list", token(scope=json.dumps([SCOPE, "*@/"])), BAD_CLAIMS)
    yield row("no scopes, in a list", token(scope="[]"), BAD_CLAIMS)


def payloads() -> Iterator[Row]:
    good = payload()
    texts: dict[str, str | bytes] = {
        "no JSON": "not JSON",
        "an empty object": "{}",
        "an array": f"[{good}]",
        "an empty array": "[]",
        "the values as an array": json.dumps(list(CLAIMS.values())),
        "a string": json.dumps(good),
        "a number": "1",
        "null": "null",
        "true": "true",
        "a space": " ",
        "two objects": good + good,
        "data after it": good + "x",
        "a brace after it": good + "}",
        "NUL after it": good + "\0",
        "NUL before it": "\0" + good,
        "a BOM": "\ufeff" + good,
        "UTF-16": good.encode("utf-16-le"),
        "no closing brace": good[:-1],
        "no opening brace": good[1:],
        "a trailing comma": good[:-1] + ",}",
        "a comma before it": "{," + good[1:],
        "a comma twice": good.replace(",", ",,", 1),
        "a comment": "/**/" + good,
        "single quotes": good.replace('"', "'"),
        "names without quotes": good.replace('"exp":', "exp:"),
        "a name that is a number": good[:-1] + ",1:1}",
        "a raw newline in a string": good.replace(CANARY, CANARY + "\n"),
        "a raw NUL in a string": good.replace(CANARY, CANARY + "\0"),
        "an unknown escape": good.replace(CANARY, CANARY + "\\x41"),
        "a broken escape": good.replace(CANARY, CANARY + "\\u00"),
        "a string without its end": good[:-2],
        "a byte that is no UTF-8": good.replace(CANARY, "@").encode().replace(b"@", b"\xff", 1),
        "no UTF-8 in an unknown member": good[:-1].encode() + b',"x":"\xc3"}',
        "UTF-8 that is too long, for a slash": good[:-1].encode() + b',"x":"\xc0\xaf"}',
        "a surrogate in UTF-8": good[:-1].encode() + b',"x":"\xed\xa0\x80"}',
        "no UTF-8 in an unknown name": good[:-1].encode() + b',"\xff":1}',
        "NaN in an unknown member": good[:-1] + ',"x":NaN}',
        "a leading zero in an unknown member": good[:-1] + ',"x":01}',
        "arrays 2,600 deep, without an end": good[:-1] + ',"x":' + "[" * 2600,
        "nothing but brackets": "[" * 2900,
        "nothing but braces": '{"":' * 700,
        "a deep aud": good.replace(json.dumps(AUDIENCE), "[" * 1000 + "]" * 1000),
        "gzip": b"\x1f\x8b\x08\x00" + good.encode(),
    }
    for name, text in texts.items():
        yield row(f"payload: {name}", forge(header(), text), BAD_CLAIMS)
    inner = forge(header(), good)
    yield row("payload: another token", sign(base64url(header().encode()), base64url(inner.encode())), BAD_CLAIMS)


# --- Encoding and tag -----------------------------------------------------------------------------------------------

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def with_spare_bits(part: str) -> str:
    """The same bytes for a careless decoder: the lowest of the bits that no byte needs is set."""
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) | 1]


def spare_payload() -> str:
    """A payload part whose last character has spare bits."""
    for pad in ("", "x", "xx"):
        part = base64url(appended_payload(pad).encode())
        if len(part) % 4:
            return part
    raise AssertionError("one of three lengths has spare bits")


def appended_payload(pad: str) -> str:
    return payload()[:-1] + f',"pad":"{pad}"}}'


def encodings() -> Iterator[Row]:
    good = token()
    first, middle, last = good.split(".")
    spare = spare_payload()
    yield row("a payload with spare bits, all zero", sign(first, spare), ACCEPTED)
    yield row("spare bits set in the payload", sign(first, with_spare_bits(spare)), ENCODING)
    yield row("spare bits set in the tag", f"{first}.{middle}.{with_spare_bits(last)}", ENCODING)
    header_part = with_spare_bits(base64url(header("key-2026").encode()))
    yield row("spare bits set in the header", sign(header_part, middle), HEADER, kid="key-2026")
    for end in ("A", "AA", "AAA", "AAAA", "_"):
        yield row(f"{end} after the payload", sign(first, middle + end), ENCODING, BAD_CLAIMS)
        yield row(f"{end} after the header", sign(first + end, middle), HEADER)
        yield row(f"{end} after the tag", good + end, ENCODING)
    yield row("a payload of one character", sign(first, "e"), ENCODING)
    yield row("a payload of an impossible length", sign(first, spare + "A" * (-len(spare) % 4 + 1)), ENCODING)

    # The standard alphabet where the other one has - and _.
    for number in range(10_000):
        text = appended(f',"x":"???>>>~~~","n":{number}')
        dashed, tagged = text.split(".")[1:]
        if {"-", "_"} <= set(dashed) and {"-", "_"} <= set(tagged):
            break
    yield row("the alphabet for URLs", text, ACCEPTED)
    standard = str.maketrans("-_", "+/")
    yield row("the standard alphabet in the payload", sign(first, dashed.translate(standard)), MALFORMED)
    yield row("the standard alphabet in the tag", f"{first}.{dashed}.{tagged.translate(standard)}", MALFORMED)

    parts = [first, middle, last]
    for at, name in enumerate(("header", "payload", "tag")):
        for what, change in {
            "padding": lambda part: part + "=",
            "twice the padding": lambda part: part + "==",
            "a space inside": lambda part: part[:5] + " " + part[5:],
            "a newline inside": lambda part: part[:5] + "\n" + part[5:],
            "a tab inside": lambda part: part[:5] + "\t" + part[5:],
            "a comma inside": lambda part: part[:5] + "," + part[5:],
            "a quote inside": lambda part: part[:5] + '"' + part[5:],
            "a percent escape": lambda part: "%65" + part[1:],
            "non-ASCII inside": lambda part: part[:5] + "é" + part[5:],
            "a zero width space inside": lambda part: part[:5] + "\u200b" + part[5:],
            "DEL inside": lambda part: part[:5] + "\x7f" + part[5:],
            "nothing": lambda _: "",
        }.items():
            changed = [change(part) if number == at else part for number, part in enumerate(parts)]
            signed = sign(*changed[:2]) if at < 2 else ".".join(changed)
            codes = (MALFORMED, "invalid_byte", "unknown_kind") if at == 0 else (MALFORMED, "invalid_byte")
            yield row(f"{name}: {what}", signed, *codes)


def shapes() -> Iterator[Row]:
    good = token()
    first, middle, last = good.split(".")
    shaped = {
        "one part": first,
        "two parts": f"{first}.{middle}",
        "two parts and a dot": f"{first}.{middle}.",
        "no payload and no tag": f"{first}..",
        "four parts": f"{good}.{last}",
        "five parts": f"{first}.{middle}.{last}.{middle}.{last}",
        "a dot at the end": f"{good}.",
        "a dot at the beginning": f".{good}",
        "two dots between": f"{first}..{middle}.{last}",
        "dots alone": "..",
        "a comma for a dot": good.replace(".", ",", 1),
        "a fullwidth dot": good.replace(".", "．", 1),
        "a percent escape for a dot": good.replace(".", "%2E", 1),
        "two tokens": f"{good},{good}",
        "two tokens with a space between": f"{good} {good}",
        "a newline after": f"{good}\n",
        "CR and LF after": f"{good}\r\n",
        "a newline before": f"\n{good}",
        "a tab before": f"\t{good}",
        "NEL after": f"{good}\u0085",
        "a no-break space after": f"{good}\u00a0",
        "a scheme before": f"Bearer {good}",
        "quotes around": f'"{good}"',
        "brackets around": f"<{good}>",
        "JSON serialization": json.dumps({"protected": first, "payload": middle, "signature": last}),
        "eyJ alone": "eyJ",
        "lower case": good.lower(),
        "upper case": good.upper(),
        "backwards": good[::-1],
    }
    for name, text in shaped.items():
        yield row(f"shape: {name}", text, MALFORMED, "invalid_byte", "unknown_kind")
    yield row(f"{LONGEST + 1} bytes", of_length(LONGEST + 1), "token_too_long")
    yield row(f"{LONGEST + 1} bytes by a longer tag", of_length(LONGEST) + "A", "token_too_long")
    yield row("8,000 bytes", of_length(8_000), "token_too_long")
    yield row("100,000 bytes", good + "A" * 100_000, "token_too_long", "too_large")


def tags() -> Iterator[Row]:
    good = token()
    first, middle, last = good.split(".")
    signing_input = f"{first}.{middle}"
    right = tag(signing_input)

    def tagged(changed: bytes) -> str:
        return f"{signing_input}.{base64url(changed)}"

    yield row("tag by another key", forge(header(), payload(), OTHER_KEY), SIGNATURE)
    yield row("tag by an empty key", forge(header(), payload(), b""), SIGNATURE)
    yield row("tag by the key's beginning", forge(header(), payload(), KEY[:32]), SIGNATURE)
    yield row("tag by the key id", forge(header(), payload(), KID.encode()), SIGNATURE)
    yield row("verified with another key", good, SIGNATURE, key=OTHER_KEY)
    other = token(sub='"sa-2"', client_id='"sa-2"')
    yield row("another token's payload", f"{first}.{other.split('.')[1]}.{last}", SIGNATURE)
    yield row("another token's tag", f"{signing_input}.{other.split('.')[2]}", SIGNATURE)
    yield row("the tag of the payload alone", tagged(tag(middle)), SIGNATURE)
    yield row("the tag of the decoded text", tagged(tag(header() + "." + payload())), SIGNATURE)
    yield row("the tag of the text with a dot after it", tagged(tag(signing_input + ".")), SIGNATURE)
    yield row("a tag of zeros", tagged(bytes(32)), SIGNATURE)
    yield row("a tag of ones", tagged(b"\xff" * 32), SIGNATURE)
    yield row("a tag of 32 bytes of HS512", tagged(tag(signing_input, hash_name="sha512")[:32]), SIGNATURE)
    for position in (0, 15, 31):
        for bit in (1, 128):
            flipped = bytearray(right)
            flipped[position] ^= bit
            yield row(f"the tag with bit {bit} of byte {position} flipped", tagged(bytes(flipped)), SIGNATURE)
    for name, text in (("header", header()), ("payload", payload())):
        changed = text.replace("at+jwt", "at+jws") if name == "header" else text.replace(SCOPE, SCOPE.replace("app", "apq"))
        texts = [changed, payload()] if name == "header" else [header(), changed]
        unsigned = ".".join(base64url(part.encode()) for part in texts) + f".{last}"
        yield row(f"a letter of the {name} changed, the tag kept", unsigned, HEADER if name == "header" else SIGNATURE)
    yield row("bytes of the tag in reverse", tagged(right[::-1]), SIGNATURE)
    for length in (1, 8, 16, 20, 31):
        yield row(f"the tag cut to {length} bytes", tagged(right[:length]), ENCODING)
    yield row("the tag cut by a character", good[:-1], ENCODING)
    yield row("the tag with a byte more", tagged(right + b"\0"), ENCODING)
    yield row("the tag with a byte before", tagged(b"\0" + right), ENCODING)
    yield row("the tag twice", tagged(right + right), ENCODING)
    yield row("the tag in base 16", f"{signing_input}.{right.hex()}", ENCODING)
    yield row("a whole tag of HS512", tagged(tag(signing_input, hash_name="sha512")), ENCODING)
    # What is wrong with the claims is no reason to tell whoever cannot make a tag.
    yield row("expired, by another key", forge(header(), payload(exp=str(NOW - 1)), OTHER_KEY), SIGNATURE)
    yield row("claims that are none, by another key", forge(header(), "{", OTHER_KEY), SIGNATURE)


TABLES = [near_misses, algorithms, header_members, key_ids, types, presence, numbers, times]
TABLES += [audiences_and_issuers, identities, scopes, payloads, encodings, shapes, tags]


def told(claims: dict | None, text: str) -> bool:
    """What the command told of the claims is what stands in the token."""
    if claims is None:
        return False
    stated = json.loads(from_base64url(text.split(".")[1]))
    return all(claims.get(name) == stated[name] for name in CLAIMS) and claims.get("gen", 0) == stated.get("gen", 0)


def main() -> None:
    example = Example(sys.argv[1], sys.argv[2])
    tally = Tally("hostile")
    names: set[str] = set()
    refused = 0
    for table in TABLES:
        for name, text, codes, asked in table():
            name = f"{table.__name__}: {name}"
            assert name not in names, name
            names.add(name)
            answer = example.verify(text, **({"now": NOW} | asked))
            if codes == (ACCEPTED,):
                tally.check(name, told(answer.claims(), text), answer)
                continue
            refused += 1
            tally.check(name, answer.refusal() in codes, f"expected {' or '.join(codes)}, {answer}")
            repeated = [part for part in [CANARY, "etc/passwd", *text.split(".")] if len(part) > 9 and part in answer.output]
            tally.check(f"{name}: nothing of the token is repeated", not repeated, answer)
    misuse(example, tally)
    near = len(names) - refused
    print(f"hostile tokens: {refused}, near-misses: {near}")
    # PyJWT makes the very text that the rows are made of, so what is made by hand is what a library makes.
    made = jwt.encode(CLAIMS, KEY, algorithm="HS256", headers={"kid": KID, "typ": "at+jwt"})
    tally.check("made by hand as by PyJWT", made == token(), made)
    tally.close()


main()
