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


def line_of(message: str, root: Element) -> int | None:
    """Return the line of the element that a message of libvirt's is about; None: it names none.

    Args:
        message: libvirt's words.
        root: the definition that it refused.
    """
    name = root.first("name")
    own = "" if name is None else name.text
    quoted = [next(filter(None, found)) for found in QUOTED.findall(message)]
    values = {*quoted, *IPV4.findall(message)} - {own}
    for element in root.walk():
        if values & {element.text, *element.attributes.values()}:
            return element.line
    tags = {*NAMED.findall(message), *quoted}
    for element in root.walk():
        if element.path.rpartition("/")[2] in tags - {"network"}:
            return element.line
    return None if name is None or own not in quoted else name.line
