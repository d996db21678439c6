"""Profiles as TOML text from keyword arguments; an underscore in a key stands for a dash."""
import json


def _lines(table):
    # Strings, numbers, booleans and lists of them are written alike in JSON and TOML.
    return "".join(f"{key.replace('_', '-')} = {json.dumps(value)}\n" for key, value in table.items())


def profile(kind="tun", description="test", peers=(), routing=None, netns=None, encryption="none", tunnel=None,
            **interface):
    """interface: the keys of [interface]; netns: a namespace to join with its socket, or the keys of [netns]; tunnel:
    more keys of [tunnel]."""
    if isinstance(netns, str):
        netns = {"mode": "join", "name": netns, "socket": "inside"}
    text = _lines({"version": 1, "description": description})
    text += "[tunnel]\n" + _lines({"kind": kind, "encryption": encryption, **(tunnel or {})})
    text += "[interface]\n" + _lines(interface)
    if routing:
        text += "[routing]\n" + _lines(routing)
    if netns:
        text += "[netns]\n" + _lines(netns)
    for peer in peers:
        text += "[[peer]]\n" + _lines(peer)
    return text


def peer(name, *allowed_ips, endpoint="learn", **keys):
    """Without allowed IPs: a peer of a TAP tunnel."""
    return {"name": name, "endpoint": endpoint, **({"allowed-ips": list(allowed_ips)} if allowed_ips else {}), **keys}
