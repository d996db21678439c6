"""The systems that are compared. Each makes the tunnel's interfaces on U and S, and takes them away again.

What a system's own manual recommends for throughput is set; the rest is as its user gets it. `settings` says it in words
for the report.
"""
import contextlib
import dataclasses
import os
import shutil
import tempfile
from typing import Callable

from hosts import BEHIND_NET, INNER, INNER_NET, OTHER, OUTER, PORT, TUNNEL, set_up_tunnel

import harness
from harness.daemon import World
from harness.host import link, run
from harness.network import process
from harness.profile import peer, profile
from harness.waiting import wait_for
from harness.wireguard import Keys, WireguardGo

NEWEST_GO = os.environ.get("VPNTUN_WIREGUARD_GO", "")


@dataclasses.dataclass(frozen=True)
class System:
    name: str
    settings: str
    program: Callable[[], str]  # where the program of both ends is; "": the kernel
    up: Callable                # a context manager: the tunnel is there; yields the processes of both ends
    asked_for: bool = False     # measured only when it is named

    def missing(self):
        """Why it cannot be measured here; empty when it can."""
        try:
            path = self.program()
        except RuntimeError as error:
            return str(error)
        return "" if path == "" or shutil.which(path) else f"{path} is not installed"


@contextlib.contextmanager
def _veth():
    with link(TUNNEL["u"], "type", "veth", "peer", "name", TUNNEL["s"], "netns", "s", netns="u"):
        set_up_tunnel()
        yield []


@contextlib.contextmanager
def _vxlan():
    with contextlib.ExitStack() as stack:
        for host, other in OTHER.items():
            stack.enter_context(link(TUNNEL[host], "type", "vxlan", "id", "1", "local", OUTER[host], "remote", OUTER[other],
                                     "dstport", "4789", "dev", "wire", netns=host))
        set_up_tunnel()
        yield []


@contextlib.contextmanager
def _loop():
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(process(harness.program("bench_plain_loop"), TUNNEL[host], str(PORT),
                                            f"{OUTER[other]}:{PORT}", netns=host)) for host, other in OTHER.items()]
        set_up_tunnel()
        yield [end.pid for end in ends]


OPENVPN = ["--dev-type", "tun", "--proto", "udp4", "--port", str(PORT), "--tun-mtu", "1420", "--mssfix",
           "0", "--sndbuf", "0", "--rcvbuf", "0", "--fast-io", "--txqueuelen", "1000", "--disable-dco"]


def _fingerprint(folder, host):
    """A certificate for the host in the folder, signed by itself; its fingerprint."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={host}", "-keyout", f"{folder}/{host}.key", "-out", f"{folder}/{host}.crt")
    text = run("openssl", "x509", "-in", f"{folder}/{host}.crt", "-noout", "-fingerprint", "-sha256")
    return text.partition("=")[2].strip()


def _tls_options(folder):
    prints = {host: _fingerprint(folder, host) for host in OTHER}
    return {host: [f"--tls-{role}", "--cert", f"{folder}/{host}.crt", "--key", f"{folder}/{host}.key", "--dh", "none",
                   "--peer-fingerprint", prints[OTHER[host]], "--data-ciphers", "AES-256-GCM"]
            for host, role in (("u", "client"), ("s", "server"))}


@contextlib.contextmanager
def _openvpn(options_of_ends):
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, contextlib.ExitStack() as stack:
        options, ends, logs = options_of_ends(folder), [], []
        for host, other in OTHER.items():
            logs.append(f"{folder}/{host}.log")
            ends.append(stack.enter_context(process("openvpn", *OPENVPN, "--dev", TUNNEL[host], "--local", OUTER[host],
                                                    "--remote", OUTER[other], *options[host], netns=host,
                                                    log=logs[-1])))
        set_up_tunnel("txqueuelen", "1000")

        def connected():
            texts = [open(log, encoding="utf-8", errors="replace").read() for log in logs]
            return all("Initialization Sequence Completed" in text for text in texts)

        wait_for(connected, "OpenVPN is connected")
        yield [end.pid for end in ends]


def _openvpn_none():
    clear = ["--cipher", "none", "--auth", "none"]
    return _openvpn(lambda _: {"u": clear, "s": clear})


@contextlib.contextmanager
def _wireguard_go(program):
    keys = {host: Keys() for host in OTHER}
    behind = {"u": [BEHIND_NET], "s": []}
    with contextlib.ExitStack() as stack:
        ends = {host: stack.enter_context(WireguardGo(TUNNEL[host], host, keys[host], [INNER[host] + "/24"], PORT, program))
                for host in OTHER}
        for host, other in OTHER.items():
            ends[host].peer(keys[other].public, INNER[other] + "/32", *behind[host], endpoint=f"{OUTER[other]}:{PORT}")
        set_up_tunnel()
        yield [end.process.pid for end in ends.values()]


@contextlib.contextmanager
def _vpntun(encryption, **settings):
    """The session of U knows where S is; S learns where U is, as a server does."""
    keys = {host: Keys() for host in OTHER} if encryption == "wireguard" else {}
    own = {host: {"private_key": keys[host].private} if keys else {} for host in OTHER}
    known = {host: {"public_key": keys[host].public} if keys else {} for host in OTHER}
    peers = {"u": peer("s", INNER_NET, BEHIND_NET, endpoint=f"{OUTER['s']}:{PORT}", **known["s"]),
             "s": peer("u", INNER["u"] + "/32", **known["u"])}
    with World() as world:
        for host in OTHER:
            world.profile(host, profile(name=TUNNEL[host], address=INNER[host] + "/24", mtu=1420, listen_port=PORT, netns=host,
                                        encryption=encryption, peers=[peers[host]], **own[host], **settings))
            world.client.start(host)
        set_up_tunnel()
        pids = world.manager.session_pids()
        assert len(pids) == 2, f"sessions: {pids}"
        yield pids


def _vpntund():
    return harness.program("vpntund")


def _newest_go():
    if not NEWEST_GO:
        raise RuntimeError("VPNTUN_WIREGUARD_GO does not say where the newest wireguard-go is")
    return NEWEST_GO


TUNED = "p2p over UDP, sndbuf 0, rcvbuf 0, fast-io, txqueuelen 1000, mssfix 0, without its kernel module"
SYSTEMS = {system.name: system for system in (
    System("veth", "no tunnel: a veth pair of the tunnel's MTU", lambda: "", _veth),
    System("vxlan", "in the kernel, between two addresses, kernel's defaults", lambda: "", _vxlan),
    System("openvpn-none", f"no cipher, no authentication, no TLS; {TUNED}", lambda: "openvpn", _openvpn_none),
    System("openvpn-gcm", f"AES-256-GCM, keys by TLS; {TUNED}", lambda: "openvpn", lambda: _openvpn(_tls_options)),
    System("wireguard-go", "Debian's package, its defaults", lambda: "wireguard-go",
           lambda: _wireguard_go("wireguard-go")),
    System("wireguard-go-new", "the newest of Debian's development suite, its defaults", _newest_go,
           lambda: _wireguard_go(NEWEST_GO)),
    System("loop", "plain C: one poll, one read and one sendto per packet; socket buffers of 4 MiB",
           lambda: harness.program("bench_plain_loop"), _loop),
    System("vpntun-plain", "two sessions of vpntund with profiles, encryption none, defaults", _vpntund,
           lambda: _vpntun("none")),
    System("vpntun-wireguard", "two sessions of vpntund with profiles, encryption wireguard, defaults", _vpntund,
           lambda: _vpntun("wireguard")),
    System("vpntun-plain-2", "as vpntun-plain, with two workers at each end", _vpntund,
           lambda: _vpntun("none", workers=2), asked_for=True),
    System("vpntun-wireguard-2", "as vpntun-wireguard, with two workers at each end", _vpntund,
           lambda: _vpntun("wireguard", workers=2), asked_for=True),
)}
