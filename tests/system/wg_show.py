"""wg(8) on a machine, and whether it and vpnctl say the same about a tunnel."""
from harness.waiting import wait_for


def peers_of_wg(machine, interface):
    """{public key: what `wg show INTERFACE dump` says}"""
    peers = {}
    for line in machine.out(["wg", "show", interface, "dump"]).splitlines()[1:]:
        key, preshared, endpoint, allowed, handshake, received, sent, keepalive = line.split("\t")
        peers[key] = {
            "has-preshared-key": preshared != "(none)", "endpoint": "" if endpoint == "(none)" else endpoint,
            "allowed-ips": sorted(allowed.split(",")), "latest-handshake": int(handshake), "rx-bytes": int(received),
            "tx-bytes": int(sent), "persistent-keepalive": 0 if keepalive == "off" else int(keepalive)}
    return peers


def peers_of_vpnctl(machine, tunnel):
    """The same, of `vpnctl status TUNNEL --json`."""
    same = ("has-preshared-key", "endpoint", "rx-bytes", "tx-bytes", "persistent-keepalive")
    return {peer["public-key"]: {**{key: peer[key] for key in same}, "allowed-ips": sorted(peer["allowed-ips"]),
                                 "latest-handshake": peer["latest-handshake-usec"] // 1_000_000}
            for peer in machine.status(tunnel)["peers"]}


def agreed(machine, tunnel, interface):
    """The peers by their names, when both say the same; a packet may pass between the two questions."""
    def same():
        of_wg, of_vpnctl = peers_of_wg(machine, interface), peers_of_vpnctl(machine, tunnel)
        return of_wg if of_wg == of_vpnctl else None
    peers = wait_for(same, f"wg and vpnctl agree about {tunnel}:\n{machine.out(['wg', 'show', interface, 'dump'])}\n"
                     f"{peers_of_vpnctl(machine, tunnel)}", interval=0.2)
    header = machine.out(["wg", "show", interface, "dump"]).splitlines()[0].split("\t")
    status = machine.status(tunnel)
    assert header[1] == status["public-key"] and int(header[2]) == status["listen-port"]
    return {peer["name"]: peers[peer["public-key"]] for peer in status["peers"]}
