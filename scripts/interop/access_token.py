"""The example `access_token` as a command, tokens made by hand, and the tally of what was checked.

Making a token by hand is the point: whatever a check wants wrong is wrong, and nothing else. The tag is right unless said.
"""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ISSUER = "https://auth.example"
AUDIENCE = "vault.example"
ORGANIZATION = "org-1"
ACCOUNT = "ci/deploy+1_-"
SCOPE = "read@web/prod:/app/**"
# With six characters the header has a multiple of three bytes: no spare bits, and a token can have 4,096 bytes or 4,097.
KID = "key-26"
KEY = bytes(range(64))

LONGEST = 4096
DAY = 86_400


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header(kid: str = KID) -> str:
    """The one header that is taken, as text."""
    return f'{{"alg":"HS256","kid":"{kid}","typ":"at+jwt"}}'


def tag(signing_input: str, key: bytes = KEY, hash_name: str = "sha256") -> bytes:
    return hmac.new(key, signing_input.encode(), hash_name).digest()


def sign(header_part: str, payload_part: str, key: bytes = KEY) -> str:
    """A token of these two parts as they are, with the tag that belongs to them."""
    signing_input = f"{header_part}.{payload_part}"
    return f"{signing_input}.{base64url(tag(signing_input, key))}"


def forge(header_text: str | bytes, payload_text: str | bytes, key: bytes = KEY) -> str:
    """A token of this header and payload, whatever they are, with the tag that belongs to them."""
    parts = [text if isinstance(text, bytes) else text.encode() for text in (header_text, payload_text)]
    return sign(base64url(parts[0]), base64url(parts[1]), key)


@dataclass
class Answer:
    """What the command said."""

    exit_code: int
    output: str
    errors: str

    def claims(self) -> dict | None:
        """The claims of a token that was accepted, and None for every other answer."""
        lines = self.output.splitlines()
        if self.exit_code != 0 or self.errors or len(lines) != 2 or lines[0] != "accepted":
            return None
        return json.loads(lines[1])

    def refusal(self) -> str | None:
        """The code of a proper refusal, and None for every other answer, a crash among them."""
        found = re.fullmatch(r"refused: ([a-z_]+): \S[^\n]*\n", self.output)
        return found[1] if found and self.exit_code == 1 and not self.errors else None

    def __str__(self) -> str:
        return f"exit code {self.exit_code}: {self.output!r} {self.errors!r}"


class Example:
    """The built example, and a folder for its key files."""

    def __init__(self, binary: str, folder: str):
        self.binary = binary
        self.folder = Path(folder)

    def key_file(self, key: bytes, end: str = "\n") -> str:
        text = base64.b64encode(key).decode() + end
        path = self.folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        path.write_text(text)
        return str(path)

    def run(self, *arguments: str) -> Answer:
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=60)
        return Answer(done.returncode, done.stdout, done.stderr)

    def mint(self, *, now: int, ttl: int, scopes=(SCOPE,), key: bytes = KEY, kid: str = KID) -> Answer:
        arguments = ["mint", "--key-file", self.key_file(key), "--kid", kid, "--issuer", ISSUER, "--audience", AUDIENCE]
        arguments += ["--organization", ORGANIZATION, "--account", ACCOUNT]
        for scope in scopes:
            arguments += ["--scope", scope]
        return self.run(*arguments, "--ttl", str(ttl), "--now", str(now))

    def verify(
        self, token: str, *, now: int, key: bytes = KEY, kid: str = KID, issuer: str = ISSUER, audience: str = AUDIENCE
    ) -> Answer:
        arguments = ["verify", "--key-file", self.key_file(key), "--kid", kid, "--issuer", issuer, "--audience", audience]
        return self.run(*arguments, "--now", str(now), token)


class Tally:
    """Counts what held, and tells at once what did not."""

    def __init__(self, name: str):
        self.name, self.passed, self.failed = name, 0, 0

    def check(self, what: str, holds: bool, seen: object = "") -> None:
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}: {seen}")

    def close(self) -> None:
        print(f"{self.name}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
