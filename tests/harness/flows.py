"""UDP flows between hosts, numbered in both directions: what is lost, late or twice shows."""
import socket
import time

from .network import udp_socket
from .waiting import wait_for

FIRST_PORT = 7100
PAYLOAD = 400  # bytes
BUFFER = 4 << 20  # bytes, of each socket: nothing is read before the end
SO_RCVBUFFORCE = 33


class Flow:
    """One end at (netns, address), the other one likewise; both have been heard."""

    def __init__(self, one, other, port):
        self.ends = [udp_socket(*end, port=port) for end in (one, other)]
        for end, (_, address) in zip(self.ends, (other, one)):
            end.connect((address, port))
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.sent = 0
        for end in (0, 1):
            wait_for(lambda end=end: self._heard(end), f"{one} and {other} hear each other at port {port}")
        self.take()

    def close(self):
        for end in self.ends:
            end.close()

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

    def take(self):
        """The numbers that have arrived at either end, in the order in which they did."""
        return [[int.from_bytes(payload[:4], "big") for payload in self._waiting(end) if payload] for end in (0, 1)]


class Flows:
    """count flows for each pair of ends. close() when done, or use as a context."""

    def __init__(self, pairs, count=1):
        self.flows = [Flow(one, other, FIRST_PORT + number) for number in range(count) for one, other in pairs]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for flow in self.flows:
            flow.close()

    def exchange(self, rounds=100, burst=3, pause=0.01):
        """Sends so many numbers in both directions of all flows."""
        for _ in range(rounds):
            for flow in self.flows:
                flow.send(burst)
            time.sleep(pause)

    def arrive(self):
        """Fails unless every number has arrived, once and in order."""
        taken = [[[], []] for _ in self.flows]

        def complete():
            for flow, ends in zip(self.flows, taken):
                for numbers, more in zip(ends, flow.take()):
                    numbers += more
            return all(len(numbers) >= flow.sent for flow, ends in zip(self.flows, taken) for numbers in ends)

        try:
            wait_for(complete, "all arrive", seconds=3)
        except AssertionError:
            pass  # what is missing is told below
        wrong = [difference for flow, ends in zip(self.flows, taken) for numbers in ends
                 if (difference := _difference(flow.sent, numbers))]
        assert not wrong, f"{len(wrong)} of {2 * len(taken)} directions: " + "; ".join(wrong[:5])


def _difference(sent, numbers):
    if numbers == list(range(sent)):
        return ""
    missing = sorted(set(range(sent)) - set(numbers))
    late = [number for before, number in zip(numbers, numbers[1:]) if number <= before]
    return f"of {sent} {len(missing)} missing ({missing[:5]}), {len(late)} late ({late[:5]})"
