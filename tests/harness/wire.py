"""What passes an interface of a host: WireGuard's datagrams as an eavesdropper sees them."""
import socket
import struct
import time

from .network import inside

DATA = 4  # a message type
KEEPALIVE_BYTES = 32  # a data message with nothing in it
ETH_P_IP, ETH_P_ALL = 0x0800, 0x0003


class Wire:
    """Listens for UDP over IPv4 on `interface`. Read it before its queue, some thousand small packets, is full."""

    def __init__(self, netns, interface):
        with inside(netns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def seen(self):
        """[(source address, message type, bytes of the UDP payload)] since the last call."""
        messages = []
        while True:
            try:
                packet, address = self.socket.recvfrom(65535)
            except BlockingIOError:
                return messages
            if address[1] != ETH_P_IP or packet[9] != socket.IPPROTO_UDP:
                continue
            payload = packet[(packet[0] & 15) * 4 + 8:struct.unpack_from("!H", packet, 2)[0]]
            if payload:
                messages.append((socket.inet_ntoa(packet[12:16]), payload[0], len(payload)))

    def watch(self, seconds):
        """What passes in that time."""
        self.seen()
        time.sleep(seconds)
        return self.seen()
