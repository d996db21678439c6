// Set requests as changes of the profile that runs.
#include "session/wg_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/error.h"
#include "session/uapi.h"
#include "uapi_text.h"
#include "values.h"

namespace vpntun::session {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint16_t kPort = 9090;
constexpr std::uint32_t kMark = 0x4000;

crypto::PublicKey key(std::uint8_t byte) {
  crypto::PublicKey key;
  key.bytes.fill(byte);
  return key;
}
crypto::SecretKey secret(std::uint8_t byte) {
  return crypto::SecretKey(key(byte).bytes);
}

config::Profile running() {
  config::Profile profile;
  profile.name = "lab";
  profile.encryption = config::Encryption::kWireguard;
  profile.interface.private_key = secret(0x40);
  config::Peer one;
  one.name = "one";
  one.public_key = key(1);
  one.endpoints = {{"vpn.example.org", 51820, std::nullopt},
                   {"192.0.2.1", 1, address("192.0.2.1")}};
  one.allowed_ips = prefixes({"10.0.0.0/8", "fd00::/8"});
  one.preshared_key = secret(7);
  one.persistent_keepalive = 25;
  config::Peer two;
  two.name = "two";
  two.public_key = key(2);
  two.allowed_ips = prefixes({"192.168.0.0/16"});
  profile.peers = {one, two};
  return profile;
}

std::string peer(std::uint8_t byte, const std::string& lines = "") {
  return "public_key=" + uapi::hex(key(byte).bytes) + "\n" + lines;
}

config::Profile after(const std::string& lines) {
  return changed(running(), std::get<uapi::SetRequest>(uapi::parse("set=1\n" + lines + "\n")),
                 kPort, kMark);
}
std::vector<std::string> names(const config::Profile& profile) {
  std::vector<std::string> names;
  for (const config::Peer& peer : profile.peers) names.push_back(peer.name);
  return names;
}

TEST(WgControl, WhatIsNotNamedStays) {
  EXPECT_EQ(after(""), running());
  EXPECT_EQ(after(peer(1)), running());
  EXPECT_EQ(after(peer(3, "update_only=true\nallowed_ip=::/0\n")), running());
  EXPECT_EQ(after(peer(3, "remove=true\n")), running());
}

TEST(WgControl, ChangesWhatIsNamed) {
  config::Profile expected = running();
  expected.interface.private_key =
      *std::get<uapi::SetRequest>(
           uapi::parse("set=1\nprivate_key=" + uapi::hex(key(0x51).bytes) + "\n\n"))
           .private_key;
  expected.peers[0].endpoints = {{"2001:db8::1", 5, address("2001:db8::1")}};
  expected.peers[0].persistent_keepalive = 0;
  expected.peers[0].allowed_ips = prefixes({"fd00::/8", "172.16.0.0/12"});
  expected.peers[1].preshared_key = secret(9);
  EXPECT_EQ(after("private_key=" + uapi::hex(key(0x51).bytes) + "\n" +
                  peer(1,
                       "endpoint=[2001:db8::1]:5\npersistent_keepalive_interval=0\n"
                       "allowed_ip=-10.0.0.0/8\nallowed_ip=172.16.0.0/12\n") +
                  peer(2, "preshared_key=" + uapi::hex(key(9).bytes) + "\n")),
            expected);
}

TEST(WgControl, APresharedKeyOfZerosIsNone) {
  EXPECT_FALSE(
      after(peer(1, "preshared_key=" + std::string(64, '0') + "\n")).peers[0].preshared_key);
}

TEST(WgControl, APrivateKeyInAnotherWritingIsTheSame) {
  config::Profile profile = running();
  profile.interface.private_key = secret(0x47);  // not clamped
  const auto request = uapi::parse("set=1\nprivate_key=" + uapi::hex(key(0x47).bytes) + "\n\n");
  EXPECT_EQ(changed(profile, std::get<uapi::SetRequest>(request), kPort, kMark), profile);
}

TEST(WgControl, RemovesPeers) {
  EXPECT_THAT(names(after(peer(1, "remove=true\n"))), ElementsAre("two"));
  EXPECT_THAT(names(after("replace_peers=true\n")), IsEmpty());
}

TEST(WgControl, NamesNewPeersByTheirKeys) {
  const config::Profile profile = after(peer(3, "allowed_ip=172.16.0.0/12\n"));
  EXPECT_THAT(names(profile), ElementsAre("one", "two", "wg-AwMDAwMD"));
  EXPECT_EQ(profile.peers[2].public_key, key(3));
  EXPECT_EQ(profile.peers[2].allowed_ips, prefixes({"172.16.0.0/12"}));
  EXPECT_TRUE(profile.peers[2].endpoints.empty());
}

TEST(WgControl, NamesAreUniqueAndFitForFiles) {
  config::Profile profile = running();
  profile.peers[0].name = "wg-AwMDAwMD";
  uapi::SetRequest request;
  request.peers.push_back({.public_key = key(3)});
  request.peers.push_back({.public_key = key(0xff)});
  request.peers.push_back({.public_key = key(0xfb)});
  const config::Profile next = changed(profile, request, kPort, kMark);
  EXPECT_THAT(names(next),
              ElementsAre("wg-AwMDAwMD", "two", "wg-AwMDAwMDA", "wg-________", "wg--_v7-_v7"));
  for (const std::string& name : names(next)) EXPECT_TRUE(config::is_tunnel_name(name)) << name;
}

TEST(WgControl, AReplacedPeerKeepsItsNameAndNothingElse) {
  const config::Profile profile = after("replace_peers=true\n" + peer(1, "allowed_ip=::/0\n"));
  config::Peer expected;
  expected.name = "one";
  expected.public_key = key(1);
  expected.allowed_ips = prefixes({"::/0"});
  EXPECT_EQ(profile.peers, std::vector{expected});
  EXPECT_EQ(after(peer(1, "remove=true\n") + peer(1, "allowed_ip=::/0\n")).peers[0], expected);
}

TEST(WgControl, APrefixBelongsToOnePeer) {
  config::Profile profile = after(peer(2, "allowed_ip=10.0.0.0/8\n"));
  EXPECT_EQ(profile.peers[0].allowed_ips, prefixes({"fd00::/8"}));
  EXPECT_EQ(profile.peers[1].allowed_ips, prefixes({"192.168.0.0/16", "10.0.0.0/8"}));
  // To and fro, and twice.
  profile = after(peer(2, "allowed_ip=10.0.0.0/8\n") + peer(1, "allowed_ip=10.0.0.0/8\n") +
                  peer(1, "allowed_ip=10.0.0.0/8\n"));
  EXPECT_THAT(profile.peers[0].allowed_ips,
              testing::UnorderedElementsAreArray(prefixes({"10.0.0.0/8", "fd00::/8"})));
  EXPECT_EQ(profile.peers[1].allowed_ips, prefixes({"192.168.0.0/16"}));
  // Another's is not given up.
  EXPECT_EQ(after(peer(2, "allowed_ip=-10.0.0.0/8\n")), running());
  EXPECT_THAT(after(peer(2, "replace_allowed_ips=true\n")).peers[1].allowed_ips, IsEmpty());
}

TEST(WgControl, OurOwnKeyMakesNoPeer) {
  const crypto::PublicKey own = crypto::public_key_of(secret(0x40));
  EXPECT_EQ(after("public_key=" + uapi::hex(own.bytes) + "\nallowed_ip=172.16.0.0/12\n"),
            running());
  config::Profile profile = running();
  profile.peers[1].public_key = crypto::public_key_of(secret(0x50));
  uapi::SetRequest request;
  request.private_key = secret(0x50);
  EXPECT_THAT(names(changed(profile, request, kPort, kMark)), ElementsAre("one"));
}

TEST(WgControl, PortMarkAndKeyMayOnlyBeSaidAsTheyAre) {
  EXPECT_EQ(after("listen_port=9090\nfwmark=16384\n"), running());
  EXPECT_EQ(after("listen_port=0\nfwmark=0\n"), running()) << "as the profile has it";
  for (const std::string& lines : {std::string("listen_port=9091\n"), std::string("fwmark=1\n"),
                                   "private_key=" + std::string(64, '0') + "\n"}) {
    try {
      after(lines);
      ADD_FAILURE() << lines;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kNotSupported) << lines;
    }
  }
}

// A tunnel that does as it is told, or throws.
class Answers : public testing::Test {
 protected:
  WgControl control() {
    WgControl control;
    control.profile = [this]() -> const config::Profile& { return profile_; };
    control.status = [this] {
      Status status;
      status.listen_port = kPort;
      status.peers.resize(profile_.peers.size());
      return status;
    };
    control.listen_port = kPort;
    control.fwmark = kMark;
    control.change = [this](const config::Profile& next) {
      ++changes_;
      if (failure_) throw Error(*failure_, "no");
      profile_ = next;
    };
    control.move = [this](std::size_t peer, const Endpoint& endpoint) {
      moves_.push_back(profile_.peers[peer].name + " " + endpoint.to_string());
    };
    return control;
  }
  std::string ask(const std::string& request) { return answer(control(), request); }

  config::Profile profile_ = running();
  std::optional<ErrorKind> failure_;
  int changes_ = 0;
  std::vector<std::string> moves_;
};

TEST_F(Answers, ToAGetAreTheTunnel) {
  EXPECT_EQ(ask("get=1\n\n"), uapi::get_answer(profile_, control().status(), kMark));
}

TEST_F(Answers, ToASetSayWhatCameOfIt) {
  EXPECT_EQ(ask("set=1\n" + peer(1, "remove=true\n") + "\n"), "errno=0\n\n");
  EXPECT_THAT(names(profile_), ElementsAre("two"));
  EXPECT_EQ(ask("set=1\nlisten_port=1\n\n"), "errno=-95\n\n");
  EXPECT_EQ(ask("set=1\n" + peer(2, "remove=true\nallowed_ip=x\n") + "\n"), "errno=-22\n\n");
  EXPECT_EQ(ask("set=1\nlisten_port\n\n"), "errno=-71\n\n");
  EXPECT_THAT(names(profile_), ElementsAre("two"));
  EXPECT_EQ(changes_, 1);
}

TEST_F(Answers, HaveTheErrnoOfWhatTheTunnelCannotDo) {
  for (const auto& [kind, number] :
       std::vector<std::pair<ErrorKind, int>>{{ErrorKind::kRouteConflict, EEXIST},
                                              {ErrorKind::kAccessDenied, EPERM},
                                              {ErrorKind::kAddressInUse, EADDRINUSE},
                                              {ErrorKind::kFailed, EIO}}) {
    failure_ = kind;
    EXPECT_EQ(ask("set=1\nreplace_peers=true\n\n"), uapi::errno_answer(number));
    EXPECT_EQ(profile_, running());
  }
}

TEST_F(Answers, ChangeNothingWhenAllIsAsItIs) {
  EXPECT_EQ(ask("set=1\nlisten_port=9090\n" + peer(1) + "\n"), "errno=0\n\n");
  EXPECT_EQ(changes_, 0);
}

TEST_F(Answers, MoveAPeerAlsoBackToWhereItWasSetBefore) {
  const std::string request = "set=1\n" + peer(2, "endpoint=192.0.2.9:9\n") + "\n";
  EXPECT_EQ(ask(request), "errno=0\n\n");
  EXPECT_EQ(ask(request), "errno=0\n\n");
  EXPECT_EQ(changes_, 1);
  EXPECT_THAT(moves_, ElementsAre("two 192.0.2.9:9", "two 192.0.2.9:9"));
}

}  // namespace
}  // namespace vpntun::session
