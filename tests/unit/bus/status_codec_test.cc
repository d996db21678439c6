#include "bus/status_codec.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

namespace vpntun::bus {
namespace {

using manager::ProfileEntry;
using manager::SessionFacts;
using manager::Tunnel;

constexpr const char* kOwnKey = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
constexpr const char* kPeerKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

session::Status full_status() {
  session::Status status;
  status.name = "lab";
  status.interface = "tun0";
  status.listen_port = 9090;
  status.workers = 4;
  status.public_key = kOwnKey;
  status.mtu = 1472;
  status.addresses = {"192.168.53.99/24"};
  status.dns_servers = {"192.168.60.53"};
  status.health = Health::kDegraded;
  status.reason = {.code = "no-reply", .text = "silence"};
  status.findings = {status.reason};
  status.traffic.rx_bytes = 0x1'0000'0000;
  status.drops.push_back({"no-peer", "no peer for it", 3, "1.2.3.4 -> 5.6.7.8", 99});
  using packet::OffloadKind;
  using packet::OffloadState;
  status.offloads = {{OffloadKind::kTso4},
                     {OffloadKind::kUdpSegment, OffloadState::Is::kRefused, EIO}};
  session::PeerStatus peer;
  peer.name = "server";
  peer.endpoint = Endpoint::parse("10.0.2.8:9090");
  peer.endpoint_source = session::EndpointSource::kLearned;
  peer.allowed_ips = {*IpPrefix::parse("192.168.60.0/24")};
  peer.public_key = kPeerKey;
  peer.has_preshared_key = true;
  peer.persistent_keepalive = 25;
  peer.state = session::PeerState::kFresh;
  peer.latest_handshake_usec = 1'700'000'000'000'000;
  peer.handshake_attempts = 2;
  peer.refused_by = IpAddress::parse("10.0.2.1");
  status.peers.push_back(peer);
  return status;
}

Tunnel running_tunnel() {
  Tunnel tunnel("lab", "vpntund@lab.service");
  ProfileEntry entry;
  entry.name = "lab";
  entry.path = "/etc/vpntund/lab.toml";
  entry.valid = true;
  tunnel.set_profile(entry);
  tunnel.transition(Lifecycle::kRunning);
  SessionFacts facts;
  facts.interface = "tun0";
  facts.pid = 7;
  facts.profile_path = entry.path;
  tunnel.set_session(facts);
  return tunnel;
}

std::string text(const Dictionary& dictionary, const std::string& key) {
  return dictionary.at(key).get<std::string>();
}

TEST(StatusCodec, AStoppedTunnelHasWhatTheProfileSays) {
  Tunnel tunnel("lab", "");
  ProfileEntry entry;
  entry.description = "Lab";
  entry.kind = "tap";
  entry.valid = true;
  tunnel.set_profile(entry);
  const Dictionary status = merged(tunnel, nullptr);
  EXPECT_EQ(text(status, "state"), "stopped");
  EXPECT_EQ(text(status, "description"), "Lab");
  EXPECT_EQ(text(status, "kind"), "tap");
  EXPECT_TRUE(status.at("profile-valid").get<bool>());
  EXPECT_FALSE(status.contains("peers"));
}

TEST(StatusCodec, ARunningTunnelIsTheSessionsStatusAndTheManagersView) {
  const Dictionary of_session = to_dictionary(full_status());
  const Dictionary status = merged(running_tunnel(), &of_session);
  EXPECT_EQ(text(status, "state"), "running");
  EXPECT_EQ(text(status, "health"), "degraded");
  EXPECT_EQ(text(status, "unit"), "vpntund@lab.service");
  EXPECT_EQ(text(status, "profile-path"), "/etc/vpntund/lab.toml");
  EXPECT_EQ(status.at("peers").get<std::vector<Dictionary>>().size(), 1U);
}

TEST(StatusCodec, AProfileThatIsGoneHasNoPath) {
  manager::Tunnel tunnel = running_tunnel();
  tunnel.set_profile(std::nullopt);
  const Dictionary of_session = to_dictionary(full_status());
  const Dictionary status = merged(tunnel, &of_session);
  EXPECT_EQ(text(status, "profile-path"), "");
  EXPECT_FALSE(status.at("profile-valid").get<bool>());
  EXPECT_TRUE(status.at("profile-stale").get<bool>());
}

TEST(StatusCodec, ASessionCannotSayWhatIsTheManagersToSay) {
  const Dictionary of_session{{"state", sdbus::Variant(std::string("stopped"))},
                              {"unit", sdbus::Variant(std::string("evil.service"))},
                              {"profile-valid", sdbus::Variant(false)}};
  const Dictionary status = merged(running_tunnel(), &of_session);
  EXPECT_EQ(text(status, "state"), "running");
  EXPECT_EQ(text(status, "unit"), "vpntund@lab.service");
  EXPECT_TRUE(status.at("profile-valid").get<bool>());
}

TEST(StatusCodec, ASilentSessionIsSaidToBeSilent) {
  const Dictionary status = merged(running_tunnel(), nullptr);
  EXPECT_EQ(text(status, "state"), "running");
  EXPECT_EQ(text(status, "health"), "unknown");
  EXPECT_EQ(text(status.at("reason").get<Dictionary>(), "code"), "session-silent");
}

TEST(StatusCodec, TheJsonHasTheSameKeysAndValues) {
  const Dictionary of_session = to_dictionary(full_status());
  const Dictionary status = merged(running_tunnel(), &of_session);
  const auto document =
      nlohmann::json::parse(to_json({status}, std::chrono::system_clock::from_time_t(0)));
  EXPECT_EQ(document["schema"], "vpnctl.status/1");
  EXPECT_EQ(document["generated"], "1970-01-01T00:00:00Z");
  const auto& tunnel = document["tunnels"][0];
  EXPECT_EQ(tunnel.size(), status.size());
  EXPECT_EQ(tunnel["rx-bytes"], 0x1'0000'0000U);
  EXPECT_EQ(tunnel["listen-port"], 9090);
  EXPECT_EQ(tunnel["workers"], 4);
  EXPECT_EQ(tunnel["dns-servers"][0], "192.168.60.53");
  EXPECT_EQ(tunnel["addresses"][0], "192.168.53.99/24");
  EXPECT_EQ(tunnel["reason"]["code"], "no-reply");
  EXPECT_EQ(tunnel["drops"][0]["last"], "1.2.3.4 -> 5.6.7.8");
  EXPECT_EQ(tunnel["offloads"].dump(), R"([{"name":"tso4","on":true,"reason":"","text":""},)"
                                       R"({"name":"udp-segment","on":false,"reason":"refused",)"
                                       R"("text":"refused on the way out: Input/output error"}])");
  EXPECT_EQ(tunnel["peers"][0]["endpoint"], "10.0.2.8:9090");
  EXPECT_EQ(tunnel["peers"][0]["endpoint-source"], "learned");
  EXPECT_EQ(tunnel["peers"][0]["allowed-ips"][0], "192.168.60.0/24");
}

TEST(StatusCodec, TheJsonOfAnEncryptedTunnelHasItsKeysAndHandshakes) {
  const auto document = nlohmann::json::parse(to_json({to_dictionary(full_status())}, {}));
  const auto& tunnel = document["tunnels"][0];
  EXPECT_EQ(tunnel["public-key"], kOwnKey);
  const auto& peer = tunnel["peers"][0];
  EXPECT_EQ(peer["public-key"], kPeerKey);
  EXPECT_EQ(peer["refused-by"], "10.0.2.1");
  EXPECT_EQ(peer["has-preshared-key"], true);
  EXPECT_EQ(peer["persistent-keepalive"], 25);
  EXPECT_EQ(peer["state"], "fresh");
  EXPECT_EQ(peer["latest-handshake-usec"], 1'700'000'000'000'000U);
  EXPECT_EQ(peer["handshake-attempts"], 2);
}

TEST(StatusCodec, APeerWithoutEncryptionHasNoState) {
  session::Status status = full_status();
  status.peers[0].public_key.clear();
  const auto document = nlohmann::json::parse(to_json({to_dictionary(status)}, {}));
  EXPECT_EQ(document["tunnels"][0]["peers"][0]["state"], "");
}

TEST(StatusCodec, WhoMayNotKnowSeesNeitherWhereNorWhoPeersAre) {
  const std::string all = to_json({to_dictionary(full_status())}, {});
  const std::string rest = to_json({without_details(to_dictionary(full_status()))}, {});
  for (const char* detail : {kOwnKey, kPeerKey, "10.0.2.8:9090", "1.2.3.4 -> 5.6.7.8"}) {
    EXPECT_NE(all.find(detail), std::string::npos) << detail;
    EXPECT_EQ(rest.find(detail), std::string::npos) << detail;
  }
  const auto tunnel = nlohmann::json::parse(rest)["tunnels"][0];
  EXPECT_FALSE(tunnel.contains("public-key"));
  EXPECT_FALSE(tunnel["peers"][0].contains("public-key"));
  EXPECT_FALSE(tunnel["peers"][0].contains("refused-by"));
  EXPECT_EQ(tunnel["peers"][0]["state"], "fresh");
  EXPECT_EQ(tunnel["peers"][0]["allowed-ips"][0], "192.168.60.0/24");
}

TEST(StatusCodec, NoTunnelsAreAnEmptyList) {
  const auto document = nlohmann::json::parse(to_json({}, std::chrono::system_clock::now()));
  EXPECT_TRUE(document["tunnels"].is_array() && document["tunnels"].empty());
}

TEST(StatusCodec, TextThatIsNoUtf8OrHasControlCharactersDoesNoHarm) {
  session::Status status;
  status.description = "a\xff\x1b[31m\n";
  status.reason.text = std::string(100'000, 'x');
  const Dictionary known = to_dictionary(status);
  for (const char bad : {'\xff', '\x1b', '\n'})
    EXPECT_EQ(text(known, "description").find(bad), std::string::npos);
  EXPECT_LT(text(known.at("reason").get<Dictionary>(), "text").size(), 4000U);
}

TEST(StatusCodec, AListIsStrippedAndReadItemByItem) {
  session::Status status = full_status();
  status.peers.resize(3, status.peers[0]);
  for (std::size_t i = 0; i < 3; ++i) status.peers[i].name = std::to_string(i);
  const Dictionary rest = without_details(to_dictionary(status));
  const auto peers = rest.at("peers").get<std::vector<Dictionary>>();
  ASSERT_EQ(peers.size(), 3U);
  EXPECT_FALSE(peers[2].contains("endpoint"));
  EXPECT_EQ(text(peers[2], "name"), "2");
  EXPECT_TRUE(peers[2].at("has-preshared-key").get<bool>());
  EXPECT_EQ(peers[2].at("persistent-keepalive").get<std::uint16_t>(), 25);
  EXPECT_EQ(peers[2].at("handshake-attempts").get<std::uint32_t>(), 2U);
  EXPECT_EQ(peers[2].at("latest-handshake-usec").get<std::uint64_t>(), 1'700'000'000'000'000U);
  EXPECT_EQ(text(peers[2].at("reason").get<Dictionary>(), "code"), "");
  const auto document = nlohmann::json::parse(to_json({rest}, {}));
  EXPECT_EQ(document["tunnels"][0]["peers"][1]["name"], "1");
  EXPECT_EQ(document["tunnels"][0]["peers"][1]["reason"]["code"], "");
}

TEST(StatusCodec, WhatANewerSessionSaysOfAPeerIsPassedOver) {
  const std::vector<Dictionary> peers{{{"name", sdbus::Variant(std::string("u"))},
                                       {"odd", sdbus::Variant(std::map<std::string, double>{})}}};
  const Dictionary status{{"peers", sdbus::Variant(peers)}, {"drops", sdbus::Variant(7.0)}};
  const auto tunnel = nlohmann::json::parse(to_json({without_details(status)}, {}))["tunnels"][0];
  EXPECT_EQ(tunnel["peers"][0], (nlohmann::json{{"name", "u"}}));
}

TEST(StatusCodec, AValueOfAnUnknownTypeIsNull) {
  const Dictionary odd{{"odd", sdbus::Variant(std::map<std::string, std::uint8_t>{})}};
  EXPECT_TRUE(nlohmann::json::parse(to_json({odd}, {}))["tunnels"][0]["odd"].is_null());
}

}  // namespace
}  // namespace vpntun::bus
