#!/usr/bin/python3
"""The server as the lab describes it: replies go to where the last datagram came from."""
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
os.system(f"ip addr add 192.168.53.98/24 dev {name}")
os.system(f"ip link set dev {name} up")

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 9090))
client = ("0.0.0.0", 0)
while True:
    ready, _, _ = select.select([sock, tun], [], [])
    for fd in ready:
        if fd is sock:
            data, client = sock.recvfrom(2048)
            print("{}:{} --> 0.0.0.0:9090".format(*client), flush=True)
            os.write(tun, data)
        if fd is tun:
            packet = os.read(tun, 2048)
            if client[1]:
                sock.sendto(packet, client)
