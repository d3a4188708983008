# SPDX-License-Identifier: GPL-2.0-or-later
"""Redaction of texts: words that may identify a site are replaced, equal ones alike."""

import re
from collections.abc import Callable, Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from reports.redaction.address_replacement import Addresses
from reports.redaction.redaction_report import RedactionReport
from reports.redaction.site_names import (
    DOMAIN_NAME,
    LOGIN,
    MAIL,
    host_names,
    is_public,
    is_telling,
    own_machines,
)

WORD = "words that were named"
HOST = "host names"
USER = "user names"
UUID = "UUIDs"
MACHINE = "machine ids"
SERIAL = "serial numbers"
KEY = "SSH keys"
ADDRESS = "e-mail addresses"

_KEY = re.compile(
    r"\b(ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+|sk-\S+) (AAAA[\w+/=]+(?: [^\s\"'<]+)?)"
)
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_NIL = "00000000-0000-0000-0000-000000000000"
# /etc/machine-id, and a UUID that is written without its dashes
_MACHINE = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)
# dmidecode "Serial Number: ABC123", lspci "[SN] Serial number: ABC", udev "ID_SERIAL_SHORT=ABC",
# devlink "serial_number ABC123", JSON and XML
_SERIAL = re.compile(
    r"(?P<key>(?<![A-Za-z])(?:(?:serial(?:[ _-]?(?:number|no|short))?|asset[ _-]tag"
    r"|service[ _-]tag)(?:\\?[\"']?\s*[:=]\s*\\?[\"']?|[\"']?>)"
    # "Device Serial Number b8-ce-f6-…" has a MAC, and is replaced as one.
    r"|serial[ _-]number[ \t]+(?=\S*\d)(?!(?:[0-9a-f]{2}[:-]){2})))(?P<value>[\w][\w./+-]{2,})",
    re.IGNORECASE,
)
_NO_SERIAL = {
    "none",
    "n/a",
    "unknown",
    "not",
    "null",
    "default",
    "pty",
    "file",
    "stdio",
    "mon:stdio",
}
# octets with colons or dashes: a MAC, and what has one at its end (a DHCP client id, a DUID)
_OCTETS = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{2}:){5,}[0-9a-f]{2}(?![0-9a-f])"
    r"|(?<![0-9a-z-])(?:[0-9a-f]{2}-){5,7}[0-9a-f]{2}(?![\w-])",
    re.IGNORECASE,
)
# a bridge's id: "8000.525400559bd6"
_BRIDGE_ID = re.compile(r"\b([0-9a-f]{4}\.)([0-9a-f]{12})\b", re.IGNORECASE)
# a datapath's id "0000525400559bd6", or a whole frame in hexadecimal
_HEXADECIMAL = re.compile(r"(?<![0-9a-f])[0-9a-f]{12,}(?![0-9a-f])", re.IGNORECASE)
# "from 2001:db8::1: icmp_seq=1": whether the last colon is a part of it only parsing shows
_IPV6 = re.compile(
    r"(?<![0-9a-z_.])[0-9a-f]{0,4}:[0-9a-f]{0,4}:"
    # "::ffff:198.51.100.1"
    r"(?:(?:[0-9a-f:]*:)?(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|[0-9a-f:]*)",
    re.IGNORECASE,
)
# also as tcpdump writes it, with the port behind a dot: "198.51.100.1.443 > …"
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d+\.\d)")
_USER = re.compile(r"((?:/home|/var/home|/Users)/|\b(?:USER|LOGNAME|SUDO_USER)=)([A-Za-z_][\w.-]*)")
# sshd "Accepted publickey for alice from …", "Failed password for invalid user alice from …"
_LOGGED_IN = re.compile(
    r"(\b(?:publickey|password|pam|none) for (?:invalid user )?)([A-Za-z_][\w.-]*)(?= from\b)"
)
_SYSTEM_USERS = {"root", "nobody", "qemu", "libvirt-qemu"}
# In JSON a line's end is two signs, of which the second would be the first letter of a word.
_ESCAPED = re.compile(r"\\(?:[bfnrt]|u00[01][0-9a-fA-F]|.)", re.DOTALL)
_ONE_SIGN = re.compile("[\ud800-\ud8ff]")
_ESCAPES = 0xD800
_CONTROLS = 0xD880
_MAC_OCTETS = 6
_EUI_64_OCTETS = 8
# destination, source and type
_FRAME_DIGITS = 2 * (6 + 6 + 2)


class Texts:
    """Redacts texts; it has to have seen all of them before (`learn`) to know every name."""

    def __init__(
        self, findings: RedactionReport, addresses: Addresses, words: Iterable[str]
    ) -> None:
        self._findings = findings
        self._addresses = addresses
        self._tables: dict[str, dict[str, str]] = {}
        self._hosts: re.Pattern[str] | None = None
        # The longest first: one word may be a part of another.
        ordered = sorted({word for word in words if word}, key=len, reverse=True)
        self._words = _any_of((_ESCAPED.sub(_as_one_sign, word) for word in ordered), r"{}")

    def keep(self, uuid: str) -> None:
        """Leave one UUID as it is: a run's own, by which it is called."""
        self._tables.setdefault(UUID, {})[uuid] = uuid

    def learn(self, texts: Iterable[str], own_host: str) -> None:
        """Find names that will be known again where nothing shows that they are names.

        Args:
            texts: all texts of the run.
            own_host: the name of the machine that the report is made on.
        """
        known = list(texts)
        own = {name.lower() for name in own_machines(known)}
        found = {own_host.lower(): None} if is_telling(own_host) else {}
        for text in known:
            found |= dict.fromkeys(name.lower() for name in host_names(text))
            for octets in _OCTETS.findall(text):
                self._learn_mac(octets)
        names = [name for name in found if name not in own and name.partition(".")[0] not in own]
        self._hosts = _any_of(sorted(names, key=len, reverse=True), r"(?<![\w.-]){}(?![\w-])")

    def redact(self, text: str) -> str:
        """Return a text without what may identify a site."""
        text = _ESCAPED.sub(_as_one_sign, text)
        for pattern, replacement in self._rules():
            if pattern is not None:
                text = pattern.sub(replacement, text)
        return _ONE_SIGN.sub(_as_escape, text)

    def _rules(self) -> list[tuple[re.Pattern[str] | None, Callable[[re.Match[str]], str]]]:
        return [
            (self._words, lambda found: self._named(WORD, found[0], "site-{}")),
            (_KEY, lambda found: f"{found[1]} {self._named(KEY, found[2], 'key-{}')}"),
            (_UUID, self._uuid),
            (_MACHINE, lambda found: self._named(MACHINE, found[0], "{:032}")),
            (_SERIAL, self._serial),
            (MAIL, lambda found: self._named(ADDRESS, found[0], "person-{}@mail.example")),
            (_OCTETS, self._octets),
            (_BRIDGE_ID, self._bridge_id),
            (_HEXADECIMAL, self._hexadecimal),
            (_IPV6, self._ipv6),
            (_IPV4, self._ipv4),
            (_USER, self._user),
            (_LOGGED_IN, self._user),
            (LOGIN, self._login),
            (DOMAIN_NAME, self._domain),
            (self._hosts, lambda found: self._host(found[0])),
        ]

    def _named(self, kind: str, thing: str, form: str) -> str:
        """Return the replacement of a thing, and count it."""
        table = self._tables.setdefault(kind, {})
        if (key := thing.lower()) not in table:
            self._findings.things[kind] += 1
            table[key] = form.format(self._findings.things[kind])
        self._findings.places[kind] += 1
        return table[key]

    def _uuid(self, found: re.Match[str]) -> str:
        uuid = found[0].lower()
        if uuid == _NIL or self._tables.get(UUID, {}).get(uuid) == uuid:
            return found[0]
        return self._named(UUID, uuid, "00000000-0000-4000-8000-{:012}")

    def _serial(self, found: re.Match[str]) -> str:
        if found["value"].lower() in _NO_SERIAL:
            return found[0]
        return found["key"] + self._named(SERIAL, found["value"], "serial-{}")

    def _user(self, found: re.Match[str]) -> str:
        if found[2] in _SYSTEM_USERS:
            return found[0]
        return found[1] + self._named(USER, found[2], "user-{}")

    def _login(self, found: re.Match[str]) -> str:
        user, host = found.groups()
        if user not in _SYSTEM_USERS:
            user = self._named(USER, user, "user-{}")
        # Its host was learnt, if it may identify a site.
        return f"{user}@{host}"

    def _domain(self, found: re.Match[str]) -> str:
        return found[0] if is_public(found[0]) else self._host(found[0])

    def _host(self, name: str) -> str:
        """Return the replacement of a host, with and without its domain alike."""
        first, dot, _ = name.partition(".")
        return self._named(HOST, first, "host-{}") + (".example" if dot else "")

    def _ipv4(self, found: re.Match[str]) -> str:
        try:
            return str(self._addresses.ipv4(IPv4Address(found[0])))
        except AddressValueError:
            # A number of a version, as 7.2.300.1.
            return found[0]

    def _ipv6(self, found: re.Match[str]) -> str:
        text = found[0]
        for said in (text, text.removesuffix(":"), text.removeprefix(":")):
            try:
                address = IPv6Address(said)
            except AddressValueError:
                # A time of day, as 01:00:17, or a path of Python's.
                continue
            new = self._addresses.ipv6(address)
            if new == address:
                return text
            as_said = f"::ffff:{new.ipv4_mapped}" if new.ipv4_mapped else str(new)
            return text.replace(said, as_said)
        return text

    def _learn_mac(self, text: str) -> None:
        octets = bytes.fromhex(re.sub("[:-]", "", text))
        if len(octets) != _EUI_64_OCTETS:
            self._addresses.know(octets[-_MAC_OCTETS:])

    def _octets(self, found: re.Match[str]) -> str:
        separator = found[0][2]
        octets = bytes.fromhex(found[0].replace(separator, ""))
        if len(octets) == _EUI_64_OCTETS:
            # A device's serial number in PCI's configuration space, or a GUID: a MAC in two halves.
            mac = self._addresses.mac(octets[:3] + octets[5:])
            new = mac[:3] + octets[3:5] + mac[3:]
        else:
            at = self._where_known(octets)
            end = at + _MAC_OCTETS
            new = octets[:at] + self._addresses.mac(octets[at:end]) + octets[end:]
        said = new.hex(separator)
        return said.upper() if found[0].isupper() else said

    def _where_known(self, octets: bytes) -> int:
        """Return where in octets a known MAC begins; without one, the last six count."""
        last = len(octets) - _MAC_OCTETS
        places = (
            at for at in range(last + 1) if octets[at : at + _MAC_OCTETS] in self._addresses.known
        )
        return next(places, last)

    def _bridge_id(self, found: re.Match[str]) -> str:
        return found[1] + self._addresses.mac(bytes.fromhex(found[2])).hex()

    def _hexadecimal(self, found: re.Match[str]) -> str:
        """Replace the MACs that are known from elsewhere: these digits alone do not show one.

        What is long enough to be a frame ends behind the last of them, as frames in captures do.
        """
        digits = found[0]
        width = 2 * _MAC_OCTETS
        at = last = 0
        parts: list[str] = []
        while at < len(digits):
            octets = bytes.fromhex(digits[at : at + width]) if at + width <= len(digits) else b""
            if octets in self._addresses.known:
                parts.append(self._addresses.mac(octets).hex())
                at += width
                last = at
            else:
                parts.append(digits[at])
                at += 1
        said = "".join(parts)
        return said[: max(last, _FRAME_DIGITS)] if last else said


def _as_one_sign(found: re.Match[str]) -> str:
    """Return an escape with no letter in it: a surrogate, which no text in UTF-8 has."""
    escape = found[0][1:]
    if len(escape) > 1:
        return f"\\{chr(_CONTROLS + int(escape[1:], 16))}"
    return f"\\{chr(_ESCAPES + ord(escape))}" if escape in "bfnrt" else found[0]


def _as_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"u{code - _CONTROLS:04x}" if code >= _CONTROLS else chr(code - _ESCAPES)


def _any_of(words: Iterable[str], around: str) -> re.Pattern[str] | None:
    """Return a pattern for any of these words, or None where there are none."""
    options = "|".join(re.escape(word) for word in words)
    return re.compile(around.format(f"(?:{options})"), re.IGNORECASE) if options else None
