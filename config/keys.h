// Every key a profile may have and every code a finding may carry, as tables: the loader's only
// source for both. docs/profile.md is held against them by a test. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vpntun::config {

// What a reload does with a key whose value is another one than before.
enum class OnReload {
  kLive,     // applies it to the running tunnel
  kRestart,  // leaves the old value: a restart is needed
};
// "live", "restart".
std::string_view word_of(OnReload on_reload) noexcept;

struct KeyRow {
  std::string_view table;     // "" at the top, "interface", "interface.dns", "peer" for [[peer]]
  std::string_view key;       // "listen-port"
  std::string_view type;      // "an integer", with what it may be
  std::string_view fallback;  // what holds without the key, in TOML or words
  std::string_view example;   // a value, in TOML
  OnReload on_reload = OnReload::kRestart;
  std::string_view meaning;
};
std::span<const KeyRow> key_rows() noexcept;
// The row of a key that exists.
const KeyRow& key_row(std::string_view table, std::string_view key);

// E01: the file, its syntax, unknown keys. E02: types and values. E03: what does not fit together.
// W03: warnings. N03: notes.
enum class Code {
  kUnknownKey,
  kSyntax,
  kCannotRead,
  kNotAFile,
  kTooLarge,
  kNotUtf8,
  kNulByte,
  kTooDeep,
  kDefinedTwice,
  kTunnelName,
  kEmpty,
  kMoreErrors,
  kConfLine,
  kWrongType,
  kRequired,
  kNotOneOf,
  kPrefix,
  kOutOfRange,
  kAddress,
  kInterfaceName,
  kEndpoint,
  kMac,
  kText,
  kNetnsName,
  kPeerName,
  kWireguardKey,
  kHostBits,
  kVersion,
  kDnsServer,
  kDnsDomain,
  kCredentialName,
  kCredential,
  kKeySource,
  kKeyFile,
  kPublicKey,
  kOpenProfile,
  kPrefixTwice,
  kAddressTwice,
  kPeerNameTwice,
  kDefaultRoute,
  kPublicEndpoint,
  kUnreachable,
  kLoop,
  kRouteWithoutPeer,
  kMasquerade,
  kWrongKind,
  kMtuForIpv6,
  kNetnsWithoutMode,
  kForwardingInterface,
  kDnsInNetns,
  kDnsTwice,
  kDomainsWithoutServer,
  kNobodyToHear,
  kOwnKey,
  kPublicKeyTwice,
  kEndpointTwice,
  kEndpointList,
  kKillSwitchInNetns,
  kSubnetAddress,
  kPrivilegedPort,
  kPublicPlaintext,
  kMoreWarnings,
  kDnsUnreachable,
  kUnreadable,
  kEndpointThroughDns,
  kIdleKeepalive,
  kPeerWithoutPrefix,
  kNobodyFirst,
  kKillSwitchSplit,
  kDropped,
  kReadLater,
  kKeyUnread,
  kRewritten,
};

struct CodeRow {
  Code code;
  std::string_view name;  // "E0204"
  std::string_view meaning;
};
std::span<const CodeRow> code_rows() noexcept;
const CodeRow& code_row(Code code);

// What somebody who wrote an unknown key may have meant. Empty: no idea.
struct Suggestion {
  std::string key;    // of the same table, "" when there is none
  std::string table;  // another table that has exactly this key
};
// Known words are those of the given table; tables themselves at the top.
Suggestion suggest(std::string_view table, std::string_view written);
// The nearest of some words, or "".
std::string nearest(std::string_view written, std::span<const std::string_view> words);

// Whether the key, or table, is for WireGuard only, in any spelling: private-key, PublicKey, ...
bool is_wireguard_key(std::string_view written);

}  // namespace vpntun::config
