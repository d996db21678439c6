"""Packets as bytes, good and bad."""
import ipaddress
import struct


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, payload=b"", protocol=17, total=None):
    """total: what the header claims, when that is not the truth."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload) if total is None else total, 1, 0, 64, protocol, 0,
                         ipaddress.IPv4Address(source).packed, ipaddress.IPv4Address(destination).packed)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, payload=b"", protocol=17, length=None):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload) if length is None else length, protocol, 64,
                       ipaddress.IPv6Address(source).packed, ipaddress.IPv6Address(destination).packed) + payload


def echo_request(source, destination, payload=b"ping", number=1):
    message = struct.pack("!BBHHH", 8, 0, 0, 77, number) + payload
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    return ipv4(source, destination, message, protocol=1)


def udp(source_port, destination_port, payload=b""):
    """Without a checksum, which IPv4 allows."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload


def ethernet(source, destination, payload, kind=0x0800):
    return bytes.fromhex(destination.replace(":", "")) + bytes.fromhex(source.replace(":", "")) + struct.pack(
        "!H", kind) + payload
