#include "config/keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <vector>

namespace vpntun::config {
namespace {

constexpr KeyRow kKeys[] = {
    {"", "version", "an integer", "1", "1", OnReload::kLive,
     "The version of this format. Only 1 exists."},
    {"", "description", "a string", "\"\"", "\"Lab, host U\"", OnReload::kLive,
     "For people; at most 200 characters on one line."},

    {"tunnel", "kind", "\"tun\" or \"tap\"", "\"tun\"", "\"tun\"", OnReload::kRestart,
     "What the interface carries: IP packets (TUN) or Ethernet frames (TAP)."},
    {"tunnel", "encryption", "\"wireguard\" or \"none\"", "required", "\"wireguard\"",
     OnReload::kRestart,
     "How packets are protected on their way. \"wireguard\": by the WireGuard protocol. \"none\": "
     "one "
     "bare inner packet per UDP datagram, which everybody on the path can read, change and forge."},
    {"tunnel", "allow-public-plaintext", "a boolean", "false", "true", OnReload::kLive,
     "Accept an endpoint with a public address, or a default route, although nothing is "
     "encrypted."},
    {"tunnel", "ready-when", "\"configured\" or \"handshake\"", "\"configured\"", "\"handshake\"",
     OnReload::kLive,
     "When a start is done: when interface, routes and socket exist, or when a peer was heard "
     "too."},

    {"interface", "name", "a string", "\"tun%d\" or \"tap%d\"", "\"tun0\"", OnReload::kRestart,
     "Name of the interface: 1 to 15 bytes; one %d becomes the first free number."},
    {"interface", "address", "a string or a list of strings", "none",
     "[\"192.168.53.99/24\", \"fd53::99/64\"]", OnReload::kLive,
     "IPv4 and IPv6 addresses of the interface, each with its prefix length."},
    {"interface", "mtu", "\"auto\" or an integer", "\"auto\"", "1400", OnReload::kLive,
     "Largest inner IP packet in bytes, 68 to 65535 (TAP: 65521). \"auto\": what the route to the "
     "endpoints leaves."},
    {"interface", "listen-port", "an integer", "0", "9090", OnReload::kRestart,
     "UDP port, 0 to 65535. 0: the kernel's choice."},
    {"interface", "mac", "a string", "the kernel's choice", "\"02:00:00:00:53:63\"",
     OnReload::kLive, "Ethernet address of a TAP interface."},
    {"interface", "up", "a boolean", "true", "true", OnReload::kLive, "Bring the interface up."},
    {"interface", "workers", "an integer", "1", "4", OnReload::kRestart,
     "Threads that carry packets, 1 to 16, each with a queue of the interface and a UDP socket of "
     "its own. As a rule the traffic of one peer is one worker's."},
    {"interface", "private-key", "a string", "required with \"wireguard\"",
     "\"/etc/vpntund/office.key\"", OnReload::kLive,
     "The tunnel's own key: the absolute path of a file with it, \"@NAME\" for the credential of "
     "that name, or the key itself in base64."},
    {"interface", "fwmark", "an integer", "0", "0x4000", OnReload::kRestart,
     "Mark of the tunnel's own datagrams, for policy routing and firewalls, 0 to 4294967295. 0: "
     "none, or one chosen for a default route."},
    {"interface", "control-socket", "a boolean", "false", "true", OnReload::kRestart,
     "Offer the socket /run/wireguard/INTERFACE.sock, with which wg(8) shows and sets the tunnel."},

    {"interface.dns", "servers", "a string or a list of strings", "none", "[\"192.168.60.53\"]",
     OnReload::kLive, "Addresses of DNS servers that are asked through the tunnel."},
    {"interface.dns", "domains", "a string or a list of strings", "none",
     "[\"corp.example\", \"~lab.example\"]", OnReload::kLive,
     "The domains they are asked about; those without \"~\" are also appended to names of one "
     "label. \"~.\": every name is asked there and nowhere else. Without domains: every name, as "
     "with the servers of other interfaces."},

    {"routing", "routes", "\"auto\", \"off\" or a list of strings", "\"auto\"",
     "[\"192.168.60.0/24\"]", OnReload::kLive,
     "Routes into the tunnel: one for each allowed-ips prefix, none, or those listed."},
    {"routing", "forwarding", "a boolean or a list of strings", "false", "[\"eth1\"]",
     OnReload::kLive,
     "Forward IPv4 packets that arrive from the tunnel. A list: and from these interfaces too, "
     "for the way back."},
    {"routing", "masquerade", "a boolean", "false", "true", OnReload::kLive,
     "Rewrite the source of what leaves the tunnel for other interfaces, so that the hosts there "
     "need no route back, and let nobody there open connections into the tunnel. Needs "
     "forwarding; where that names no interface, the one of the IPv4 default route forwards too: "
     "the answers, and what its hosts send here for other networks, unless a firewall is set."},
    {"routing", "table", "\"auto\" or an integer", "\"auto\"", "1000", OnReload::kRestart,
     "Number of the routing table for the routes. \"auto\": the main one, and for a default route "
     "one of its own with rules that lead everything there but the tunnel's own datagrams."},
    {"routing", "unrouted-family", "\"block\" or \"allow\"", "\"block\"", "\"allow\"",
     OnReload::kLive,
     "Of IPv4 and IPv6, the family without a default route into the tunnel while the other one has "
     "one: \"block\" stops what would leave past the tunnel."},

    {"routing.kill-switch", "mode", "\"off\", \"while-up\" or \"always\"", "\"off\"",
     "\"while-up\"", OnReload::kLive,
     "When nothing but the tunnel's own datagrams may leave this host past the tunnel: from start "
     "to stop, also while the process is not there; or after the stop too."},
    {"routing.kill-switch", "allow-lan", "a boolean", "false", "true", OnReload::kLive,
     "Let the kill switch pass what goes to private and local addresses."},

    {"netns", "mode", "\"none\", \"create\" or \"join\"", "\"none\"", "\"create\"",
     OnReload::kRestart,
     "Put the interface into a network namespace: one made and removed with the tunnel, or one "
     "that exists."},
    {"netns", "name", "a string", "required unless mode is \"none\"", "\"office\"",
     OnReload::kRestart, "Name of the namespace: the file /run/netns/NAME."},
    {"netns", "socket", "\"host\" or \"inside\"", "\"host\"", "\"host\"", OnReload::kRestart,
     "Where the UDP socket is: in the daemon's own namespace, or inside with the interface."},

    {"access", "active-session", "a boolean", "false", "true", OnReload::kLive,
     "Whoever is logged in at the machine itself may start, stop, restart and reload this tunnel."},

    {"peer", "name", "a string", "\"peer1\", \"peer2\", ... by position", "\"server\"",
     OnReload::kLive, "Name of the peer in status and log; unique in the profile."},
    {"peer", "endpoint", "a string or a list of strings", "\"learn\"", "\"10.0.2.8:9090\"",
     OnReload::kLive,
     "Where its datagrams go: ADDRESS:PORT, [IPV6]:PORT or NAME:PORT. \"learn\": where the last "
     "acceptable datagram came from. \"@NAME\": what the credential of that name says. With "
     "\"wireguard\" a list is tried in its order, 5 s each."},
    {"peer", "allowed-ips", "a string or a list of strings", "required with TUN",
     "[\"192.168.53.0/24\"]", OnReload::kLive,
     "The networks behind the peer: what is sent to it and what it may send. Not with TAP, where "
     "peers are told apart by Ethernet address."},
    {"peer", "public-key", "a string", "required with \"wireguard\"",
     "\"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\"", OnReload::kLive,
     "The peer's public key, in base64."},
    {"peer", "preshared-key", "a string", "none", "\"@office-psk\"", OnReload::kLive,
     "A secret of both ends besides their keys: a file, a credential or the key itself, as for "
     "private-key."},
    {"peer", "persistent-keepalive", "an integer, \"25s\" or \"off\"", "\"off\"", "\"25s\"",
     OnReload::kLive,
     "Send something after so many seconds of silence, 0 to 65535, which keeps the way open "
     "through routers and firewalls that forget."},
};

constexpr CodeRow kCodes[] = {
    {Code::kUnknownKey, "E0101", "unknown key or table"},
    {Code::kSyntax, "E0102", "not valid TOML"},
    {Code::kCannotRead, "E0103", "the file cannot be read"},
    {Code::kNotAFile, "E0104", "not a regular file"},
    {Code::kTooLarge, "E0105", "larger than 4 MiB"},
    {Code::kNotUtf8, "E0106", "not UTF-8"},
    {Code::kNulByte, "E0107", "contains a NUL byte"},
    {Code::kTooDeep, "E0108", "nested too deeply"},
    {Code::kDefinedTwice, "E0109", "a key or table is defined twice"},
    {Code::kTunnelName, "E0110", "the file's name is no tunnel name"},
    {Code::kEmpty, "E0111", "the profile says nothing"},
    {Code::kMoreErrors, "E0112", "more findings than the hundred shown"},
    {Code::kConfLine, "E0113", "import: a line that wg-quick does not have"},
    {Code::kWrongType, "E0201", "a value of the wrong type"},
    {Code::kRequired, "E0202", "a required key is missing"},
    {Code::kNotOneOf, "E0203", "not one of the words a key knows"},
    {Code::kPrefix, "E0204", "not a network prefix"},
    {Code::kOutOfRange, "E0205", "a number outside its range"},
    {Code::kAddress, "E0206", "not an interface address with prefix length"},
    {Code::kInterfaceName, "E0207", "not an interface name"},
    {Code::kEndpoint, "E0208", "not an endpoint"},
    {Code::kMac, "E0209", "not an Ethernet address of one interface"},
    {Code::kText, "E0210", "text too long or with control characters"},
    {Code::kNetnsName, "E0211", "not a name for a network namespace"},
    {Code::kPeerName, "E0212", "not a peer name"},
    {Code::kWireguardKey, "E0214", "a key of WireGuard in a profile without encryption"},
    {Code::kHostBits, "E0215", "a network with host bits set"},
    {Code::kVersion, "E0216", "a version of the format that does not exist"},
    {Code::kDnsServer, "E0217", "not the address of a DNS server"},
    {Code::kDnsDomain, "E0218", "not a domain"},
    {Code::kCredentialName, "E0219", "not the name of a credential"},
    {Code::kCredential, "E0220", "a credential that is not there, or of no use"},
    {Code::kKeySource, "E0221", "a private or preshared key that is none"},
    {Code::kKeyFile, "E0222", "a file of a key that others can read, or the session cannot"},
    {Code::kPublicKey, "E0223", "not a public key"},
    {Code::kOpenProfile, "E0224", "a profile with a key in it that others can read"},
    {Code::kPrefixTwice, "E0301", "the same prefix twice"},
    {Code::kAddressTwice, "E0302", "the same interface address twice"},
    {Code::kPeerNameTwice, "E0303", "two peers of one name"},
    {Code::kDefaultRoute, "E0304", "a default route without encryption"},
    {Code::kPublicEndpoint, "E0305", "a public endpoint without encryption"},
    {Code::kUnreachable, "E0306", "nobody could ever find this tunnel"},
    {Code::kLoop, "E0307", "an endpoint whose route leads into the tunnel itself"},
    {Code::kRouteWithoutPeer, "E0308", "a route for which no peer is responsible"},
    {Code::kMasquerade, "E0309", "masquerade without forwarding"},
    {Code::kWrongKind, "E0310", "a key that the kind of the tunnel does not have"},
    {Code::kMtuForIpv6, "E0311", "an MTU too small for IPv6"},
    {Code::kNetnsWithoutMode, "E0312", "a namespace's name or socket without its mode"},
    {Code::kForwardingInterface, "E0313", "an interface that forwarding cannot mean"},
    {Code::kDnsInNetns, "E0314", "DNS for an interface that systemd-resolved does not see"},
    {Code::kDnsTwice, "E0315", "the same DNS server or domain twice"},
    {Code::kDomainsWithoutServer, "E0316", "domains without a DNS server"},
    {Code::kNobodyToHear, "E0317", "a start that waits for a peer, and no peer"},
    {Code::kOwnKey, "E0318", "a peer with the tunnel's own key"},
    {Code::kPublicKeyTwice, "E0319", "two peers of one public key"},
    {Code::kEndpointTwice, "E0320", "the same endpoint twice"},
    {Code::kEndpointList, "E0321", "several endpoints of one peer without encryption"},
    {Code::kKillSwitchInNetns, "E0322", "a kill switch for a namespace"},
    {Code::kSubnetAddress, "W0301", "the network's own or its broadcast address"},
    {Code::kPrivilegedPort, "W0302", "a port that needs a privilege"},
    {Code::kPublicPlaintext, "W0303", "unencrypted traffic where everybody can be"},
    {Code::kMoreWarnings, "W0304", "more warnings than the hundred shown"},
    {Code::kDnsUnreachable, "W0305", "a DNS server that nothing in the tunnel leads to"},
    {Code::kUnreadable, "W0306", "a profile that the user of the sessions cannot read"},
    {Code::kEndpointThroughDns, "W0307", "an endpoint whose name is asked through the tunnel"},
    {Code::kIdleKeepalive, "W0308", "a keepalive for a peer whose endpoint is not known"},
    {Code::kPeerWithoutPrefix, "W0309", "a peer without allowed-ips"},
    {Code::kNobodyFirst, "W0310", "neither end could send the first packet"},
    {Code::kKillSwitchSplit, "W0311", "a kill switch without a default route"},
    {Code::kDropped, "W0312", "import: a line that no profile can say"},
    {Code::kReadLater, "N0301", "a credential, which is read when the tunnel starts"},
    {Code::kKeyUnread, "N0302", "a key in a file that this user cannot read"},
    {Code::kRewritten, "N0303", "import: a value that is written another way"},
};

constexpr std::string_view kWireguardKeys[] = {
    "privatekey", "privatekeyfile",   "publickey",           "presharedkey",
    "fwmark",     "presharedkeyfile", "persistentkeepalive", "controlsocket",
    "table",      "unroutedfamily",   "killswitch",
};

// "AllowedIPs", "allowed_ips" and "allowed-ips" alike: "allowedips".
std::string letters_of(std::string_view word) {
  std::string letters;
  for (const char c : word)
    if (c != '-' && c != '_' && c != ' ')
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return letters;
}

// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

// "interface.dns": the table "dns" inside "interface"; "peer": one at the top.
struct TablePath {
  std::string_view outer, word;
};
TablePath path_of(std::string_view table) {
  const std::size_t dot = table.rfind('.');
  if (dot == std::string_view::npos) return {"", table};
  return {table.substr(0, dot), table.substr(dot + 1)};
}

// The keys of a table, and the tables in it.
std::vector<std::string_view> words_of(std::string_view table) {
  std::vector<std::string_view> words;
  for (const KeyRow& row : kKeys) {
    if (row.table == table) words.push_back(row.key);
    const TablePath path = path_of(row.table);
    const bool inside = !path.word.empty() && path.outer == table;
    if (inside && (words.empty() || words.back() != path.word)) words.push_back(path.word);
  }
  return words;
}

}  // namespace

std::string_view word_of(OnReload on_reload) noexcept {
  return on_reload == OnReload::kLive ? "live" : "restart";
}

std::span<const KeyRow> key_rows() noexcept {
  return kKeys;
}

const KeyRow& key_row(std::string_view table, std::string_view key) {
  const auto* row = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const KeyRow& each) {
    return each.table == table && each.key == key;
  });
  if (row == std::end(kKeys)) throw std::logic_error("a key without a row");
  return *row;
}

std::span<const CodeRow> code_rows() noexcept {
  return kCodes;
}

const CodeRow& code_row(Code code) {
  const auto* row = std::find_if(std::begin(kCodes), std::end(kCodes),
                                 [code](const CodeRow& each) { return each.code == code; });
  if (row == std::end(kCodes)) throw std::logic_error("a code without a row");
  return *row;
}

std::string nearest(std::string_view written, std::span<const std::string_view> words) {
  constexpr std::size_t kLongest = 64;  // nothing longer is near to anything
  if (written.size() > kLongest) return "";
  const std::string letters = letters_of(written);
  std::string best;
  std::size_t best_distance = 3;
  for (const std::string_view word : words) {
    const std::size_t distance = edit_distance(letters, letters_of(word));
    const std::size_t limit = word.size() <= 4 ? 1 : 2;
    if (distance > limit || distance >= best_distance) continue;
    best_distance = distance;
    best = word;
  }
  return best;
}

Suggestion suggest(std::string_view table, std::string_view written) {
  const std::string letters = letters_of(written);
  for (const std::string_view word : words_of(table))
    if (letters_of(word) == letters) return {std::string(word), ""};
  for (const KeyRow& row : kKeys) {
    if (row.table != table && letters_of(row.key) == letters)
      return {std::string(row.key), std::string(row.table)};
    const TablePath path = path_of(row.table);
    if (!path.outer.empty() && path.outer != table && letters_of(path.word) == letters)
      return {std::string(path.word), std::string(path.outer)};
  }
  if (letters.ends_with("keyfile"))  // the same key says which file
    return suggest(table, written.substr(0, written.size() - std::string_view("file").size()));
  return {nearest(written, words_of(table)), ""};
}

bool is_wireguard_key(std::string_view written) {
  return std::find(std::begin(kWireguardKeys), std::end(kWireguardKeys), letters_of(written)) !=
         std::end(kWireguardKeys);
}

}  // namespace vpntun::config
