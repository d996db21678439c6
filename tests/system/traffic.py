"""Traffic through the lab's tunnel while something happens to it, and what became of each packet of it.

    with Traffic() as traffic:
        ...                     # restart, kill, upgrade
    traffic.assert_nothing_lost()

A ping of U to V 50 times a second and a TCP transfer from U to V whose bytes are hashed at both ends. Senders never have
more under way than fits the queue of a TUN interface, so that what is lost was lost by somebody.
"""
import hashlib
import os
import select
import socket
import struct
import threading
import time

from harness.network import inside, tcp_connect, tcp_listener
from harness.packets import echo_request
from harness.waiting import wait_for
from lab import U_INNER, V

PING_INTERVAL = 0.02
PORT = 7000
IPV4_HEADER = 20


class Pinger(threading.Thread):
    """Asks at a fixed pace, whatever is answered."""

    def __init__(self):
        super().__init__(daemon=True)
        with inside("u"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.sent = {}
        self.answered = {}
        self.ending = threading.Event()

    def run(self):
        next_at = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= next_at and not self.ending.is_set():
                number = len(self.sent) + 1
                self.sent[number] = now
                # The kernel writes the IP header; the request is built with one for the other tests.
                self.socket.sendto(echo_request(U_INNER, V, number=number)[IPV4_HEADER:], (V, 0))
                next_at += PING_INTERVAL
            if self.ending.is_set() and (len(self.answered) == len(self.sent) or now > next_at + 10):
                return
            if select.select([self.socket], [], [], max(0.0, min(PING_INTERVAL, next_at - now)))[0]:
                self._receive()

    def _receive(self):
        packet, (source, _) = self.socket.recvfrom(2048)
        kind, _, _, identifier, number = struct.unpack_from("!BBHHH", packet, IPV4_HEADER)
        if kind == 0 and identifier == 77 and source == V:
            self.answered.setdefault(number, time.monotonic())

    def lost(self):
        return sorted(set(self.sent) - set(self.answered))

    def longest_gap(self):
        """Seconds between two answers that followed each other."""
        times = sorted(self.answered.values())
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=float("inf"))


class Transfer(threading.Thread):
    """A TCP connection from U to V; V answers with the hash of what it got."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = tcp_listener("v", V, PORT)
        self.digest_of_v = None
        self.sink = threading.Thread(target=self._sink, daemon=True)
        self.sink.start()
        self.connection = tcp_connect("u", V, PORT)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
        self.connection.settimeout(60)
        self.digest = hashlib.sha256()
        self.bytes = 0
        self.failure = None
        self.ending = threading.Event()

    def _sink(self):
        peer, _ = self.listener.accept()
        digest = hashlib.sha256()
        with peer:
            peer.settimeout(60)
            while block := peer.recv(65536):
                digest.update(block)
            peer.sendall(digest.digest())

    def run(self):
        try:
            while not self.ending.is_set():
                block = os.urandom(8192)
                self.connection.sendall(block)
                self.digest.update(block)
                self.bytes += len(block)
                self.ending.wait(0.005)
            self.connection.shutdown(socket.SHUT_WR)
            self.digest_of_v = self.connection.recv(64, socket.MSG_WAITALL)
        except OSError as failure:
            self.failure = failure

    def close(self):
        self.connection.close()
        self.listener.close()


class Traffic:
    """Runs from entry to exit; leaving waits until what is under way has arrived."""

    def __init__(self):
        self.pinger = Pinger()
        self.transfer = Transfer()

    def __enter__(self):
        self.pinger.start()
        self.transfer.start()
        self.flows()
        return self

    def __exit__(self, *failure):
        if failure[0] is None:
            self.flows()
        for one in (self.pinger, self.transfer):
            one.ending.set()
        for one in (self.pinger, self.transfer):
            one.join(60)
        self.transfer.close()
        self.pinger.socket.close()

    def flows(self):
        """Returns when both have moved on for a moment."""
        answered, moved = len(self.pinger.answered), self.transfer.bytes
        wait_for(lambda: len(self.pinger.answered) > answered + 10 and self.transfer.bytes > moved + 100_000,
                 "pings are answered and the transfer moves")

    def assert_nothing_lost(self):
        assert not self.transfer.failure, f"the TCP connection broke: {self.transfer.failure}"
        assert self.transfer.digest_of_v == self.transfer.digest.digest(), "V got other bytes than U sent"
        lost = self.pinger.lost()
        assert not lost, f"{len(lost)} of {len(self.pinger.sent)} pings were lost: {lost[:20]}; " \
                         f"longest gap {self.pinger.longest_gap():.2f} s"
