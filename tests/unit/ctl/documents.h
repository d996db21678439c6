// Documents as the daemon gives them, for the tests of what is made of them.
#pragma once

namespace vpntun::ctl {

inline constexpr const char* kDocument = R"json({
  "schema": "vpnctl.status/1",
  "tunnels": [
    {
      "name": "lab", "description": "SEED lab, Host U", "state": "running", "health": "failing",
      "reason": {"code": "no-reply", "text": "Packets go out, none come back (42 s)"},
      "interface": "tun0", "interface-index": 12, "kind": "tun", "encryption": "none",
      "addresses": ["192.168.53.99/24", "fd53::99/64"], "routes": ["192.168.60.0/24"],
      "dns-servers": ["192.168.60.53"], "dns-domains": ["corp.example", "~lab"], "listen-port": 41872,
      "workers": 2,
      "mtu": 1472, "mtu-derivation": "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)", "netns": "u",
      "since-usec": 1000000000000000,
      "rx-bytes": 0, "tx-bytes": 9626, "rx-packets": 1, "tx-packets": 114,
      "drops": [{"reason": "source-not-allowed", "text": "inner source not in the peer's allowed-ips", "packets": 17,
                 "last": "192.168.1.20 -> 10.0.0.1 from 10.0.2.8:9090", "last-usec": 1000000003000000}],
      "offloads": [{"name": "tso4", "on": true, "reason": "", "text": ""},
                   {"name": "uso4", "on": false, "reason": "not-supported",
                    "text": "not offered by the kernel: Invalid argument"},
                   {"name": "uso6", "on": false, "reason": "not-supported",
                    "text": "not offered by the kernel: Invalid argument"},
                   {"name": "udp-gro", "on": true, "reason": "", "text": ""}],
      "findings": [{"code": "no-reply", "text": "Packets go out, none come back (42 s)"},
                   {"code": "route-refused", "text": "The route 10.0.0.0/8 was refused"}],
      "peers": [{"name": "server", "configured-endpoint": "10.0.2.8:9090", "endpoint": "10.0.2.8:9090",
                 "endpoint-source": "configured", "allowed-ips": ["192.168.53.0/24", "192.168.60.0/24"],
                 "health": "failing", "reason": {"code": "no-reply", "text": "silent for 42 s"},
                 "rx-bytes": 0, "tx-bytes": 9626, "rx-packets": 1, "tx-packets": 114,
                 "last-received-usec": 0, "last-sent-usec": 1000000009000000}],
      "profile-path": "/etc/vpntund/lab.toml", "profile-stale": true, "profile-valid": true,
      "unit": "vpntund@lab.service", "pid": 2114, "forwarding": true, "masquerade": false
    },
    {"name": "lab-server", "description": "", "state": "running", "health": "healthy",
     "reason": {"code": "", "text": ""}, "interface": "tun1", "kind": "tun", "encryption": "none",
     "addresses": ["192.168.53.98/24"], "rx-bytes": 1288490189, "tx-bytes": 88080384,
     "peers": [{"name": "u", "endpoint": "10.0.2.7:41872", "endpoint-source": "learned", "health": "healthy",
                "last-received-usec": 1000000009000000},
               {"name": "w", "endpoint": "", "health": "unknown", "last-received-usec": 0}]},
    {"name": "office", "state": "failed", "health": "unknown",
     "reason": {"code": "address-in-use", "text": "UDP port 9090 is taken"}, "profile-valid": true,
     "profile-path": "/etc/vpntund/office.toml", "unit": "vpntund@office.service"},
    {"name": "l2", "state": "stopped", "health": "unknown", "profile-path": "/etc/vpntund/l2.toml",
     "profile-valid": false}
  ]
})json";

inline constexpr const char* kEncryptedDocument = R"json({
  "schema": "vpnctl.status/1",
  "tunnels": [
    {
      "name": "office", "state": "running", "health": "degraded",
      "reason": {"code": "no-answer", "text": "No answer to 6 handshakes with peer branch"},
      "interface": "office0", "interface-index": 12, "kind": "tun", "encryption": "wireguard",
      "public-key": "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=", "addresses": ["10.8.0.1/24"], "listen-port": 51820,
      "rx-bytes": 8697308774, "tx-bytes": 33285996544,
      "peers": [{"name": "alice", "endpoint": "203.0.113.9:40112", "endpoint-source": "learned",
                 "allowed-ips": ["10.8.0.2/32", "fd42:8::2/128"],
                 "public-key": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "has-preshared-key": true,
                 "persistent-keepalive": 25, "state": "fresh", "latest-handshake-usec": 999999998000000,
                 "handshake-attempts": 0, "health": "healthy", "reason": {"code": "", "text": ""},
                 "rx-bytes": 6442450944, "tx-bytes": 30064771072},
                {"name": "branch", "configured-endpoint": "198.51.100.7:51820", "endpoint": "198.51.100.7:51820",
                 "endpoint-source": "configured", "allowed-ips": ["10.8.0.4/32"],
                 "public-key": "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=", "has-preshared-key": false,
                 "persistent-keepalive": 0, "state": "connecting", "latest-handshake-usec": 999999820000000,
                 "handshake-attempts": 7, "health": "failing",
                 "reason": {"code": "no-answer", "text": "no answer to 6 handshakes with peer branch"},
                 "refused-by": "198.51.100.1",
                 "rx-bytes": 80740352, "tx-bytes": 12582912},
                {"name": "phone", "endpoint": "", "allowed-ips": ["10.8.0.3/32"], "state": "never", "health": "unknown"}],
      "profile-path": "/etc/vpntund/office.toml", "profile-stale": false, "profile-valid": true
    }
  ]
})json";

inline constexpr unsigned long long kNowUsec = 1000000010000000;

}  // namespace vpntun::ctl
