"""Bytes over one TCP connection, whole or for as long as something else goes on; equal when their hashes are."""
import hashlib
import os
import threading
import time

from .network import tcp_connect, tcp_listener

PORT = 7000
BLOCK = 16 << 10  # bytes


class Transfer:
    """From `netns` to `address` of `to_netns`. size: bytes; None: until the context ends. pause: seconds between blocks.

    When the context ends, all that was sent has been received, or `seconds` have passed.
    """

    def __init__(self, netns, to_netns, address, size=None, pause=0.0, seconds=90, port=PORT):
        self.size, self.pause, self.seconds = size, pause, seconds
        self.listener = tcp_listener(to_netns, address, port)
        self.sender = tcp_connect(netns, address, port)
        self.receiver = self.listener.accept()[0]
        for each in (self.sender, self.receiver):
            each.settimeout(seconds)
        self.done = threading.Event()
        self.sent, self.received = hashlib.sha256(), hashlib.sha256()
        self.bytes = 0

    def _send(self):
        left = self.size
        while left != 0 and not self.done.is_set():
            block = os.urandom(BLOCK if left is None else min(BLOCK, left))
            self.sender.sendall(block)
            self.sent.update(block)
            left = None if left is None else left - len(block)
            if self.pause:
                self.done.wait(self.pause)
        self.sender.shutdown(1)

    def _receive(self):
        while block := self.receiver.recv(1 << 16):
            self.received.update(block)
            self.bytes += len(block)

    def __enter__(self):
        self.threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        deadline = time.monotonic() + self.seconds
        if self.size is None:
            self.done.set()
        for thread in self.threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        self.done.set()
        for each in (self.listener, self.sender, self.receiver):
            each.close()

    def arrived(self):
        """Every byte, unchanged, and some there were."""
        return self.bytes > 0 and (self.size is None or self.bytes == self.size) and \
            self.sent.digest() == self.received.digest()


def transferred(netns, to_netns, address, size, seconds=90):
    """Whether that many random bytes arrive."""
    with Transfer(netns, to_netns, address, size, seconds=seconds) as transfer:
        pass
    return transfer.arrived()
