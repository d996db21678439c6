"""Network namespaces of the test, and the network state of a host as a value that can be compared."""
import contextlib
import json
import os
import subprocess

from .waiting import wait_for


def run(*command, netns=None, check=True, seconds=60, **options):
    """Runs a program, in a namespace by name; returns its output."""
    prefix = ["ip", "netns", "exec", netns] if netns else []
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, timeout=seconds, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def network_namespace(name):
    """/run/netns/NAME with its loopback up; gone afterwards."""
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "set", "lo", "up", netns=name)
        yield name
    finally:
        run("ip", "netns", "delete", name, check=False)


@contextlib.contextmanager
def link(name, *arguments, address=None, netns=None):
    """An interface, up, maybe with an address: link("veth0", "type", "veth", "peer", "name", "veth1")."""
    run("ip", "link", "add", name, *arguments, netns=netns)
    try:
        if address:
            run("ip", "address", "add", address, "dev", name, netns=netns)
        run("ip", "link", "set", name, "up", netns=netns)
        yield name
    finally:
        run("ip", "link", "delete", name, netns=netns, check=False)


def _json(netns, *command):
    return json.loads(run(*command, netns=netns) or "[]")


def _without(record, *keys):
    return json.dumps({key: value for key, value in record.items() if key not in keys}, sort_keys=True)


def _links_and_routes(netns):
    """Both, or None while the kernel still has to add the local route of an IPv6 address, which it does a moment later."""
    links = [entry for entry in _json(netns, "ip", "-j", "address", "show") if entry]
    routes = [(family, route) for family in ("-4", "-6")
              for route in _json(netns, "ip", "-j", family, "route", "show", "table", "all")]
    local = {(route["dev"], route["dst"]) for family, route in routes if family == "-6" and route.get("type") == "local"}
    expected = {(entry["ifname"], info["local"]) for entry in links if {"UP", "LOWER_UP"} <= set(entry["flags"])
                for info in entry["addr_info"] if info["family"] == "inet6"}
    return (links, routes) if expected <= local else None


def host_state(netns=None):
    """Links, addresses, routes of all tables, rules, forwarding, nft ruleset, namespaces: no counters, no life times."""
    links, routes = wait_for(lambda: _links_and_routes(netns), "every IPv6 address has its route")
    rules = [f"{family} " + _without(rule)
             for family in ("-4", "-6") for rule in _json(netns, "ip", "-j", family, "rule", "show")]
    addresses = [f"{entry['ifname']} {info['local']}/{info['prefixlen']}"
                 for entry in links for info in entry["addr_info"]]
    return {
        "links": sorted(f"{entry['ifname']} mtu {entry['mtu']} {'UP' if 'UP' in entry['flags'] else 'DOWN'}"
                        f" {' '.join(entry.get('altnames', []))}"
                        for entry in links),
        "addresses": sorted(addresses),
        "routes": sorted(f"{family} " + _without(route, "expires", "flags", "pref") for family, route in routes),
        "rules": sorted(rules),
        "forwarding": run("sysctl", "-a", "-r", r"net.ipv4.conf.*\.forwarding", netns=netns).splitlines(),
        "nft": run("nft", "list", "ruleset", netns=netns).splitlines(),
        "namespaces": sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else [],
    }


def difference(before, after):
    """What appeared (+) and what is missing (-), one line each; empty when nothing changed."""
    lines = []
    for part in before:
        lines += [f"- {part}: {item}" for item in before[part] if item not in after[part]]
        lines += [f"+ {part}: {item}" for item in after[part] if item not in before[part]]
    return "\n".join(lines)


@contextlib.contextmanager
def unchanged_host(*namespaces):
    """Fails when the network of this host, or of one of these namespaces, is not afterwards as it was before."""
    before = {netns: host_state(netns) for netns in (None, *namespaces)}
    yield
    for netns, state in before.items():
        changed = difference(state, host_state(netns))
        assert not changed, f"left on {netns or 'the host'}:\n{changed}"
