"""PyJWT takes what keygate mints and refuses what it should; keygate takes what PyJWT makes.

PyJWT reads the machine's clock, so these tokens are minted around the real now; boundaries are jose's part.
"""

import json
import sys
import time

import jwt

from access_token import ACCOUNT, AUDIENCE, DAY, ISSUER, KEY, KID, LONGEST, ORGANIZATION, SCOPE
from access_token import Example, Tally, base64url, forge, from_base64url, header

REQUIRED = ["iss", "aud", "sub", "client_id", "org", "jti", "iat", "nbf", "exp", "scope"]
SCOPES = ["read@web/prod:/app/**", "create,update@web/", "*@/", "read,delete@*/*:/**"]

example = Example(sys.argv[1], sys.argv[2])
tally = Tally("pyjwt")
now = int(time.time())


def decode(token: str, key: bytes = KEY, audience: str = AUDIENCE, issuer: str = ISSUER) -> dict:
    return jwt.decode(
        token, key, algorithms=["HS256"], audience=audience, issuer=issuer, subject=ACCOUNT, options={"require": REQUIRED}
    )


def refuses(what: str, error: type[Exception], token: str, **asked) -> None:
    """PyJWT refuses, and for this reason. Any other exception ends the run."""
    try:
        claims = decode(token, **asked)
    except jwt.InvalidTokenError as refusal:
        tally.check(f"PyJWT refuses {what}", isinstance(refusal, error), repr(refusal))
    else:
        tally.check(f"PyJWT refuses {what}", False, claims)


def minted(**asked) -> str:
    answer = example.mint(**({"now": now, "ttl": 3600} | asked))
    if answer.exit_code != 0 or answer.errors or not answer.output.endswith("\n") or answer.output.count("\n") != 1:
        sys.exit(f"minting failed: {answer}")
    return answer.output.rstrip("\n")


def pyjwt_takes_minted_tokens() -> None:
    for scopes in ([SCOPE], SCOPES, [f"read@p{number}/" for number in range(64)]):
        for ttl in (60, DAY):
            token = minted(scopes=scopes, ttl=ttl)
            claims = decode(token)
            asked = {
                "iss": ISSUER,
                "aud": AUDIENCE,
                "sub": ACCOUNT,
                "client_id": ACCOUNT,
                "org": ORGANIZATION,
                "scope": " ".join(scopes),
                "iat": now,
                "exp": now + ttl,
            }
            what = f"{len(scopes)} scopes for {ttl} s"
            tally.check(f"the claims of a token with {what}", asked.items() <= claims.items(), claims)
            tally.check(f"nbf is not after iat, {what}", claims["nbf"] <= claims["iat"], claims)
            tally.check(f"jti has 128 bits, {what}", len(from_base64url(claims["jti"])) == 16, claims)
            tally.check(f"at most {LONGEST} bytes, {what}", len(token) <= LONGEST, len(token))
            stated = {"alg": "HS256", "kid": KID, "typ": "at+jwt"}
            tally.check(f"the header, {what}", jwt.get_unverified_header(token) == stated, token)
            tally.check(f"the header's text, {what}", token.split(".")[0] == base64url(header().encode()), token)
            again = jwt.encode(claims, KEY, algorithm="HS256", headers={"kid": KID, "typ": "at+jwt"})
            tally.check(f"PyJWT makes the same text of the claims, {what}", again == token, again)
    same = [decode(minted())["jti"] for _ in range(2)]
    tally.check("no jti is given twice", same[0] != same[1], same)


def pyjwt_takes_every_length_of_key() -> None:
    for length in (32, 33, 63, 64, 65, 200):
        key = bytes(range(1, length + 1))
        token = minted(key=key)
        tally.check(f"a key of {length} bytes", decode(token, key=key)["sub"] == ACCOUNT)
        answer = example.verify(token, now=now, key=key)
        tally.check(f"our own check with a key of {length} bytes", answer.claims() is not None, answer)


def keygate_mints_nothing_beyond_its_bounds() -> None:
    many = [f"read@p{number}/" for number in range(65)]
    long = [f"read@p{number}/prod:/" + "a" * 100 for number in range(40)]
    for what, asked in {
        "65 scopes": {"scopes": many},
        "a token that would be too long": {"scopes": long},
        "a life of no time": {"ttl": 0},
        "a life of more than a day": {"ttl": DAY + 1},
        "a scope that is none": {"scopes": ["read@"]},
        "a key id that is none": {"kid": "../key"},
    }.items():
        answer = example.mint(**({"now": now, "ttl": 60} | asked))
        proper = answer.exit_code == 2 and answer.errors and not answer.output and "panicked" not in answer.errors
        tally.check(f"not minted: {what}", bool(proper), answer)


def pyjwt_refuses_what_it_should() -> None:
    token = minted()
    refuses("a token that expired", jwt.ExpiredSignatureError, minted(now=now - 7200))
    refuses("a token that is not yet valid", jwt.ImmatureSignatureError, minted(now=now + 7200))
    refuses("another audience", jwt.InvalidAudienceError, token, audience=AUDIENCE + ".test")
    refuses("another issuer", jwt.InvalidIssuerError, token, issuer=ISSUER + "/")
    refuses("another key", jwt.InvalidSignatureError, token, key=KEY[::-1])
    parts = [from_base64url(part) for part in token.split(".")]
    for number, part in enumerate(parts):
        for position in range(len(part)):
            flipped = bytearray(part)
            flipped[position] ^= 1
            changed = ".".join(base64url(bytes(flipped) if at == number else old) for at, old in enumerate(parts))
            refuses(f"part {number} with byte {position} flipped", jwt.InvalidTokenError, changed)
    # The same text, put together again without a change, so what was refused was refused for the flipped byte.
    tally.check("nothing flipped", decode(".".join(map(base64url, parts)))["sub"] == ACCOUNT)


def keygate_takes_what_pyjwt_makes() -> None:
    base = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": ACCOUNT,
        "client_id": ACCOUNT,
        "org": ORGANIZATION,
        "jti": "9b2f6d1c",
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "scope": SCOPE,
    }
    made = {
        "as we would": base,
        "with several scopes": base | {"scope": " ".join(SCOPES)},
        "with a generation": base | {"gen": 7},
        "with the generation 0": base | {"gen": 0},
        "with members in reverse": dict(reversed(base.items())),
        "with sorted members": dict(sorted(base.items())),
        "with unknown members": base | {"roles": ["x"], "cnf": {"deep": [[{"a": None}]]}, "n": 1.5e9, "v": True},
        "with an unknown member before the others": {"acr": "1"} | base,
        "with non-ASCII in an unknown member, escaped": base | {"name": "Zoë Ωμέγα 🦀"},
        "with non-ASCII in an unknown member's name": base | {"Größe": 1},
        "with an empty name": base | {"": ""},
        "with issued-at in the future": base | {"iat": now + 600},
        "with not-before in the past": base | {"nbf": now - 600},
    }
    for what, claims in made.items():
        token = jwt.encode(claims, KEY, algorithm="HS256", headers={"kid": KID, "typ": "at+jwt"})
        answer = example.verify(token, now=now)
        tally.check(f"a token made by PyJWT {what}", is_told(answer.claims(), claims), answer)

    # PyJWT escapes what is not ASCII; others do not.
    claims = base | {"name": "Zoë Ωμέγα 🦀"}
    token = forge(header(), json.dumps(claims, ensure_ascii=False, separators=(",", ":")))
    tally.check("PyJWT takes UTF-8", decode(token) == claims)
    answer = example.verify(token, now=now)
    tally.check("UTF-8 in an unknown member", is_told(answer.claims(), claims), answer)

    # The order of a header's members is part of the format, by design: the same token with PyJWT's own order off.
    reordered = jwt.encode(base, KEY, algorithm="HS256", headers={"kid": KID, "typ": "at+jwt"}, sort_headers=False)
    answer = example.verify(reordered, now=now)
    tally.check("a header in another order", answer.refusal() == "token_header", answer)


def is_told(told: dict | None, claims: dict) -> bool:
    """What the command told of the claims is what they were."""
    return told is not None and all(told.get(name) == claims[name] for name in REQUIRED) and (
        told.get("gen", 0) == claims.get("gen", 0)
    )


pyjwt_takes_minted_tokens()
pyjwt_takes_every_length_of_key()
keygate_mints_nothing_beyond_its_bounds()
pyjwt_refuses_what_it_should()
keygate_takes_what_pyjwt_makes()
tally.close()
