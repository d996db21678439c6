#!/usr/bin/python3
"""The client as the lab describes it: what is read from the TUN interface goes into a UDP datagram, as it is."""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454ca
IFF_TUN = 0x0001
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000

tun = os.open("/dev/net/tun", os.O_RDWR)
kind = IFF_TAP if "tap" in sys.argv[1:] else IFF_TUN
request = fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"naive%d", kind | IFF_NO_PI))
name = request[:16].rstrip(b"\0").decode()
os.system(f"ip addr add 192.168.53.99/24 dev {name}")
os.system(f"ip link set dev {name} up")
os.system(f"ip route add 192.168.60.0/24 dev {name}")

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server = ("10.0.2.8", 9090)
while True:
    ready, _, _ = select.select([sock, tun], [], [])
    for fd in ready:
        if fd is sock:
            data, (ip, port) = sock.recvfrom(2048)
            os.write(tun, data)
        if fd is tun:
            packet = os.read(tun, 2048)
            sock.sendto(packet, server)
