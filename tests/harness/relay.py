"""A UDP relay between two hosts that loses, doubles and reorders what it carries, from a seed."""
import heapq
import random
import select
import threading
import time

from .network import udp_socket

LONGEST_QUEUE = 4096  # datagrams under way; what is more is lost


class Relay:
    """Carries datagrams that reach `front` (netns, address, port) from `back` on to (address, port) `to`, and what
    comes back to whoever wrote to the front last. late: the share that is held back, and so overtaken, for up to 30 ms."""

    def __init__(self, front, back, to, seed, loss=0.0, double=0.0, late=0.0):
        self.seed, self.loss, self.double, self.late, self.to = seed, loss, double, late, to
        self.chance = random.Random(seed)
        self.front, self.back = udp_socket(*front), udp_socket(*back)
        self.client = None
        self.carried = self.lost = 0
        self.under_way = []  # (due, number, socket, datagram, where)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        print(f"relay: seed {self.seed}, loss {self.loss}, double {self.double}, late {self.late}")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(60)
        self.front.close()
        self.back.close()

    def _run(self):
        while not self.done.is_set():
            wait = max(0.0, self.under_way[0][0] - time.monotonic()) if self.under_way else 0.1
            for ready in select.select([self.front, self.back], [], [], min(wait, 0.1))[0]:
                self._take(ready)
            while self.under_way and self.under_way[0][0] <= time.monotonic():
                _, _, out, datagram, where = heapq.heappop(self.under_way)
                try:
                    out.sendto(datagram, where)
                except OSError:  # an ICMP error of an earlier one
                    self.lost += 1

    def _take(self, ready):
        try:
            datagram, sender = ready.recvfrom(65535)
        except OSError:
            return
        if ready is self.front:
            self.client = sender
        out, where = (self.back, self.to) if ready is self.front else (self.front, self.client)
        self.carried += 1
        if where is None or self.chance.random() < self.loss or len(self.under_way) >= LONGEST_QUEUE:
            self.lost += 1
            return
        for _ in range(2 if self.chance.random() < self.double else 1):
            delay = self.chance.uniform(0.001, 0.03) if self.chance.random() < self.late else 0.0
            heapq.heappush(self.under_way, (time.monotonic() + delay, self.carried, out, datagram, where))
