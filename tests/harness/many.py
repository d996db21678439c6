"""A session with many WireGuard peers."""
import base64
import hashlib

from .profile import peer, profile


def public_key(number):
    """A key that nobody has: any 32 bytes are one."""
    return base64.b64encode(hashlib.sha256(str(number).encode()).digest()).decode()


def address(number):
    """Inside, of that peer."""
    return f"10.64.{number // 250}.{number % 250 + 1}"


HUB = "10.127.255.254"  # inside, of the server


def hub(keys, count, peers=None, **changes):
    """The profile of a server for `count` peers, p0 and so on, that are learned. peers: {number: public key} of those
    that exist."""
    known = [peer(f"p{number}", f"{address(number)}/32", public_key=(peers or {}).get(number) or public_key(number))
             for number in range(count)]
    settings = dict(name="hub", address=[f"{HUB}/10"], listen_port=9090, control_socket=True,
                    encryption="wireguard", private_key=keys.private, peers=known)
    return profile(**{**settings, **changes})
