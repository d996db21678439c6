"""UDP flows between hosts, numbered in both directions: what is lost, late or twice shows."""
import socket
import time

from .network import udp_socket
from .waiting import wait_for

FIRST_PORT = 7100
PAYLOAD = 400  # bytes
BUFFER = 4 << 20  # bytes, of each socket
UNDER_WAY = 200  # datagrams
LOST = 20  # seconds without one more
SO_RCVBUFFORCE = 33


class Flow:
    """One end at (netns, address), the other one likewise."""

    def __init__(self, one, other, port):
        self.ends = [udp_socket(*end, port=port) for end in (one, other)]
        for end, (_, address) in zip(self.ends, (other, one)):
            end.connect((address, port))
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.sent = 0
        self.arrived = [[], []]  # the numbers at either end, in the order in which they came

    def close(self):
        for end in self.ends:
            end.close()

    def hear(self):
        """Waits until each end has heard the other one."""
        for end in (0, 1):
            wait_for(lambda end=end: self._heard(end), f"{self.ends[1 - end].getsockname()} hears {self.ends[end].getsockname()}")

    def _heard(self, end):
        self.ends[end].send(b"")
        time.sleep(0.01)
        return any(True for _ in self._waiting(1 - end))

    def _waiting(self, end):
        try:
            while True:
                yield self.ends[end].recv(PAYLOAD)
        except BlockingIOError:
            pass

    def send(self, count):
        for _ in range(count):
            for end in self.ends:
                end.send(self.sent.to_bytes(4, "big") * (PAYLOAD // 4))
            self.sent += 1

    def missing(self):
        """How many have not arrived yet, in both directions."""
        for end, numbers in enumerate(self.arrived):
            numbers += [int.from_bytes(payload[:4], "big") for payload in self._waiting(end) if payload]
        return sum(max(0, self.sent - len(numbers)) for numbers in self.arrived)


class Flows:
    """count flows for each pair of ends. Use as a context."""

    def __init__(self, pairs, count=1):
        self.flows = [Flow(one, other, FIRST_PORT + number) for number in range(count) for one, other in pairs]

    def __enter__(self):
        for flow in self.flows:
            flow.hear()
        return self

    def __exit__(self, *_):
        for flow in self.flows:
            flow.close()

    def exchange(self, rounds=100, burst=3, pause=0.01):
        """Sends so many numbers in both directions of all flows, and never more than a queue on the way holds."""
        for _ in range(rounds):
            for flow in self.flows:
                flow.send(burst)
            time.sleep(pause)
            if not self._only_missing(UNDER_WAY):
                return  # arrive() tells

    def _only_missing(self, most):
        """Waits until no more are missing; False: some are lost, for none has come for a while."""
        before, since = None, time.monotonic()
        while (missing := sum(flow.missing() for flow in self.flows)) > most:
            if missing != before:
                before, since = missing, time.monotonic()
            elif time.monotonic() - since > LOST:
                return False
            time.sleep(0.005)
        return True

    def arrive(self):
        """Fails unless every number has arrived, once and in order."""
        self._only_missing(0)
        wrong = [difference for flow in self.flows for numbers in flow.arrived
                 if (difference := _difference(flow.sent, numbers))]
        assert not wrong, f"{len(wrong)} of {2 * len(self.flows)} directions: " + "; ".join(wrong[:5])


def _difference(sent, numbers):
    if numbers == list(range(sent)):
        return ""
    missing = sorted(set(range(sent)) - set(numbers))
    late = [number for before, number in zip(numbers, numbers[1:]) if number <= before]
    return f"of {sent} {len(missing)} missing ({missing[:5]}), {len(late)} late ({late[:5]})"
