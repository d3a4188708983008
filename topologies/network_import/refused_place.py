# SPDX-License-Identifier: GPL-2.0-or-later
"""The place in a definition that libvirt's refusal is about, where its words name one.

libvirt's messages have no line. They quote the value that they are about, or name the element.
"""

import re

from topologies.given_xml import IPV4
from topologies.network_import.xml_reader import Element

# XML error: Invalid netmask '255.255.0.255' in network 'lab'
QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"")
# XML error: <port> is missing, or: the 'connections' attribute
NAMED = re.compile(r"<([a-z]+)\b")
# internal error: zone trusted requested for network lab but firewalld is not active
WORD = re.compile(r"[\w.:-]{4,}")
# Values that are words of libvirt's as well, and name no place.
WORDS_OF_LIBVIRT = frozenset({"open", "route", "bridge", "hostdev", "ipv4", "ipv6", "network"})


def line_of(message: str, root: Element) -> int | None:
    """Return the line of the element that a message of libvirt's is about; None: it names none.

    Args:
        message: libvirt's words.
        root: the definition that it refused.
    """
    name = root.first("name")
    own = "" if name is None else name.text
    # In the commands that libvirt quotes these are whatever it was about.
    passing = {own, root.get("bridge", "name")}
    quoted = [next(filter(None, found)) for found in QUOTED.findall(message)]
    values = {*quoted, *IPV4.findall(message)} - {own}
    words = {*WORD.findall(message)} - WORDS_OF_LIBVIRT - passing
    for wanted in (values, words):
        for element in root.walk():
            if wanted & {element.text, *element.attributes.values()}:
                return element.line
    tags = {*NAMED.findall(message), *quoted}
    for element in root.walk():
        if element.path.rpartition("/")[2] in tags - {"network"}:
            return element.line
    return None if name is None or own not in quoted else name.line
