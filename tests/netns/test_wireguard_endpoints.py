"""A peer with several endpoints: the next one has its turn when handshakes get no answer."""
from conftest import PORT, client_profile
from test_wireguard import Ends

from harness.profile import peer
from harness.waiting import wait_for
from harness.wireguard import Keys

SERVER = "192.168.53.98"
DEAD = {"an address that nobody has": ["10.0.2.66:9090"], "a closed port": ["10.0.2.8:9"],
        "no route to it": ["10.0.9.9:9090"], "two of them": ["10.0.2.66:9090", "10.0.2.8:9"]}


def test_the_next_endpoint_has_its_turn_when_the_first_is_dead(pair, tunnels):
    """Beside each other, for each dead one takes REKEY_TIMEOUT, 5 s."""
    ends, keys = Ends(), [Keys() for _ in DEAD]
    inner = [f"192.168.53.{10 + number}" for number in range(len(DEAD))]
    tunnels.run("server", ends.at_server(peers=[
        peer(f"u{number}", f"{inner[number]}/32", public_key=keys[number].public) for number in range(len(DEAD))]))
    for number, dead in enumerate(DEAD.values()):
        there = peer("server", f"{SERVER}/32", endpoint=[*dead, f"10.0.2.8:{PORT}"], public_key=ends.server.public,
                     persistent_keepalive=25)
        tunnels.run(f"lab{number}", client_profile(
            encryption="wireguard", private_key=keys[number].private, name=f"tun{number}",
            address=[f"{inner[number]}/32"], routing={"routes": "off"}, peers=[there]))
    for number, what in enumerate(DEAD):
        wait_for(lambda: tunnels.peer(f"lab{number}", "server")["health"] == "healthy", what)
        assert tunnels.peer(f"lab{number}", "server")["endpoint"] == f"10.0.2.8:{PORT}"
