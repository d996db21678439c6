"""A DNS server on a host of the test: it knows every name as one address, and remembers what was asked, and by whom."""
import contextlib
import ipaddress
import socket
import struct
import threading

from harness.network import inside

A, AAAA = 1, 28


class Responder(threading.Thread):
    """names: {name: address, or addresses}; other names have `default`, when there is one."""

    def __init__(self, netns, address, names=None, default=None):
        super().__init__(daemon=True)
        self.names, self.default = names or {}, default
        self.asked = []
        self.askers = set()
        with inside(netns):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 53))
        self.socket.settimeout(0.2)
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
        self.socket.close()

    def run(self):
        while not self.ended.is_set():
            try:
                query, who = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            self.askers.add(who[0])
            with contextlib.suppress(OSError):  # who asked went away
                self.socket.sendto(self.answer(query), who)

    def forget(self):
        self.asked.clear()
        self.askers.clear()

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack_from("!H", query, at + 1)[0]
        name = ".".join(labels)
        self.asked.append(name)
        known = self.names.get(name, self.default) or ()
        records = []
        for text in [known] if isinstance(known, str) else known:
            address = ipaddress.ip_address(text)
            if kind == (A if address.version == 4 else AAAA):
                records.append(struct.pack("!HHHIH", 0xc00c, kind, 1, 0, len(address.packed)) + address.packed)
        header = query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(records), 0, 0)
        return header + query[12:at + 5] + b"".join(records)
