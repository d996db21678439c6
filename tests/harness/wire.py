"""What passes an interface of a host, both ways, as an eavesdropper sees it."""
import contextlib
import socket
import struct
import time

from .network import packet_socket

INITIATION, DATA = 1, 4  # message types
KEEPALIVE_BYTES = 32  # a data message with nothing in it
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86dd
SO_RCVBUFFORCE = 33


class Wire:
    """Listens on `interface`. Read it before its queue, some thousand small packets, is full."""

    def __init__(self, netns, interface):
        self.socket = packet_socket(netns, interface, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def packets(self):
        """The IP packets since the last call, but those that no router passes on."""
        seen = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, address = self.socket.recvfrom(65535)
                if address[1] in (ETH_P_IP, ETH_P_IPV6) and not stays_on_the_link(packet):
                    seen.append(packet)
        return seen

    def seen(self):
        """[(source address, message type, bytes of the UDP payload)] of UDP over IPv4 since the last call."""
        messages = []
        for packet in self.packets():
            if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
                continue
            payload = packet[(packet[0] & 15) * 4 + 8:struct.unpack_from("!H", packet, 2)[0]]
            if payload:
                messages.append((socket.inet_ntoa(packet[12:16]), payload[0], len(payload)))
        return messages

    def watch(self, seconds):
        """What passes in that time."""
        self.seen()
        time.sleep(seconds)
        return self.seen()


def stays_on_the_link(packet):
    """Multicast among neighbours, and their discovery: the ARP of IPv6."""
    if packet[0] >> 4 == 4:
        return packet[16:19] == bytes((224, 0, 0))
    return packet[24:26] == bytes((0xff, 2)) or \
        packet[6] == socket.IPPROTO_ICMPV6 and packet[7] == 255 and 133 <= packet[40] <= 137
