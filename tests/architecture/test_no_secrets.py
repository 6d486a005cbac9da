"""Nothing in the tree looks like a secret, names a machine's folders or a registry."""

import re
from typing import Any

ENDINGS = (
    *(".py", ".toml", ".md", ".yml", ".yaml", ".json", ".proto", ".sh", ".in", ".lock", ".cfg", ".ini", ".html"),
    *("Makefile", "Dockerfile", "run", ".importlinter", ".gitignore", ".dockerignore"),
)
SECRETS = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "OpenAI key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "JSON Web Token": r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "Fernet key": r"(?<![A-Za-z0-9_+/=-])[A-Za-z0-9_-]{43}=(?!=)",
    "key of our API": r"\bvb_[A-Za-z0-9_-]{43}\b",
}
PLACES = {
    "a folder of one machine": r"(?<![\w.])/(?:work|home|root|Users)/[a-z]",
    "a package registry": r"https?://[^\s\"']*(?:pypi\.org|pythonhosted\.org|registry\.npmjs|/simple/)",
}


def offenders(checkout: Any, patterns: dict[str, str]) -> list[str]:
    found = []
    for path in checkout.files(*ENDINGS):
        text = path.read_text(errors="replace")
        for what, pattern in patterns.items():
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{checkout.short(path)}:{line} looks like {what}")
    return found


def test_nothing_looks_like_a_secret(checkout: Any) -> None:
    found = offenders(checkout, SECRETS)
    assert not found, "\n".join(found)


def test_nothing_names_a_machine_or_a_registry(checkout: Any) -> None:
    found = offenders(checkout, PLACES)
    assert not found, "\n".join(found)


def test_the_patterns_find_what_they_are_for() -> None:
    """A pattern that matches nothing would keep the tests above green for ever."""
    key = "A" * 43
    samples = {
        "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
        "OpenAI key": "sk-" + "a" * 24,
        "AWS key": "AKIA" + "A" * 16,
        "GitHub token": "ghp_" + "a" * 36,
        "Slack token": "xoxb-" + "1" * 12,
        "JSON Web Token": ".".join(("eyJ" + "a" * 12, "b" * 12, "c" * 12)),
        "Fernet key": f'"{key}="',
        "key of our API": "vb_" + key,
    }
    assert {what for what, pattern in SECRETS.items() if re.search(pattern, samples[what])} == set(SECRETS)
