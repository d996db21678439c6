// The text of wg(8)'s control protocol: what a request says, what is refused with which errno, and
// what an answer looks like.
#include "session/uapi.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <string>
#include <vector>

#include "uapi_text.h"
#include "values.h"

namespace vpntun::session::uapi {
namespace {

const std::string kKey = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
const std::string kOther = "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376";
const std::string kNone(64, '0');

crypto::PublicKey public_key(const std::string& hex) {
  crypto::PublicKey key;
  for (std::size_t i = 0; i < key.bytes.size(); ++i)
    key.bytes[i] = static_cast<std::uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  return key;
}
crypto::SecretKey secret_key(const std::string& hex) {
  return crypto::SecretKey(public_key(hex).bytes);
}

Request set(const std::string& lines) {
  return parse("set=1\n" + lines + "\n");
}
Request of_peer(const std::string& line) {
  return set("public_key=" + kKey + "\n" + line + "\n");
}
SetRequest accepted(const Request& request) {
  EXPECT_TRUE(std::holds_alternative<SetRequest>(request));
  return std::holds_alternative<SetRequest>(request) ? std::get<SetRequest>(request) : SetRequest{};
}

TEST(Uapi, ReadsEveryKey) {
  SetRequest expected;
  expected.private_key =
      secret_key("e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a");
  expected.fwmark = 0xffffffff;
  expected.listen_port = 12912;
  expected.replace_peers = true;
  PeerChange first;
  first.public_key = public_key(kKey);
  first.preshared_key = secret_key(kOther);
  first.replace_allowed_ips = true;
  first.allowed_ips = {{prefix("192.168.4.4/32"), false}, {prefix("fd00::/8"), true}};
  first.endpoint = endpoint("[abcd:23::33]:51820");
  first.persistent_keepalive = 111;
  PeerChange second;
  second.public_key = public_key(kOther);
  second.update_only = true;
  second.remove = true;
  expected.peers = {first, second};
  EXPECT_EQ(set("private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n"
                "fwmark=4294967295\n"
                "listen_port=12912\n"
                "replace_peers=true\n"
                "public_key=" +
                kKey + "\npreshared_key=" + kOther +
                "\nreplace_allowed_ips=true\n"
                "allowed_ip=192.168.4.4/32\n"
                "allowed_ip=-fd00::/8\n"
                "endpoint=[abcd:23::33]:51820\n"
                "persistent_keepalive_interval=111\n"
                "protocol_version=1\n"
                "public_key=" +
                kOther + "\nupdate_only=true\nremove=true\n"),
            Request(expected));
}

TEST(Uapi, ReadsRequestsThatSayNothing) {
  EXPECT_EQ(parse("get=1\n\n"), Request(GetRequest{}));
  EXPECT_EQ(parse("set=1\n\n"), Request(SetRequest{}));
}

TEST(Uapi, ClampsAPrivateKeyButNotOneOfZeros) {
  EXPECT_EQ(accepted(set("private_key=" + std::string(64, 'f') + "\n")).private_key,
            secret_key("f8" + std::string(60, 'f') + "7f"));
  EXPECT_EQ(accepted(set("private_key=" + kNone + "\n")).private_key, crypto::SecretKey());
}

TEST(Uapi, TakesKeysInEitherCase) {
  EXPECT_EQ(set("public_key=" + std::string(64, 'A') + "\n"),
            set("public_key=" + std::string(64, 'a') + "\n"));
}

TEST(Uapi, LeavesHostBitsOfAllowedIpsOut) {
  EXPECT_EQ(of_peer("allowed_ip=10.1.2.3/8"), of_peer("allowed_ip=10.0.0.0/8"));
}

TEST(Uapi, ForgetsTheAllowedIpsSaidBeforeTheyAreReplaced) {
  EXPECT_EQ(of_peer("allowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=::/0"),
            of_peer("replace_allowed_ips=true\nallowed_ip=::/0"));
}

TEST(Uapi, RefusesValuesThatAreNone) {
  for (const std::string& line : {std::string("private_key="),
                                  std::string("private_key=zz"),
                                  "private_key=" + kKey + "0",
                                  "private_key=" + kKey.substr(2),
                                  "private_key=g" + kKey.substr(1),
                                  std::string("listen_port=65536"),
                                  std::string("listen_port=-1"),
                                  std::string("listen_port="),
                                  std::string("listen_port=+1"),
                                  std::string("listen_port= 1"),
                                  std::string("listen_port=1 "),
                                  std::string("listen_port=0x1"),
                                  std::string("fwmark=4294967296"),
                                  std::string("fwmark=0x10"),
                                  std::string("fwmark=off"),
                                  std::string("replace_peers=false"),
                                  std::string("replace_peers=1"),
                                  std::string("replace_peers="),
                                  std::string("public_key=" + kKey.substr(1)),
                                  std::string("public_key=")})
    EXPECT_EQ(set(line + "\n"), Request(Refusal{EINVAL})) << line;
  for (const char* line : {"preshared_key=00",
                           "endpoint=",
                           "endpoint=192.0.2.1",
                           "endpoint=192.0.2.1:0",
                           "endpoint=192.0.2.1:65536",
                           "endpoint=vpn.example.org:1",
                           "endpoint=2001:db8::1:51820",
                           "endpoint=[fe80::1%eth0]:1",
                           "persistent_keepalive_interval=65536",
                           "persistent_keepalive_interval=off",
                           "allowed_ip=",
                           "allowed_ip=-",
                           "allowed_ip=--::/0",
                           "allowed_ip=10.0.0.0/33",
                           "allowed_ip=fd00::/129",
                           "allowed_ip=10.0.0/8",
                           "replace_allowed_ips=false",
                           "remove=false",
                           "update_only=yes",
                           "protocol_version=2",
                           "protocol_version="})
    EXPECT_EQ(of_peer(line), Request(Refusal{EINVAL})) << line;
}

TEST(Uapi, RefusesKeysThatAreUnknownOrElsewhere) {
  for (const char* line :
       {"=1", "key=1", "Private_key=1", " fwmark=1", "fwmark =1", "set=1", "get=1",
        "endpoint=192.0.2.1:1", "allowed_ip=::/0", "remove=true", "errno=0", "tx_bytes=1"})
    EXPECT_EQ(set(std::string(line) + "\n"), Request(Refusal{EINVAL})) << line;
  for (const char* line : {"listen_port=1", "fwmark=1", "replace_peers=true", "rx_bytes=1"})
    EXPECT_EQ(of_peer(line), Request(Refusal{EINVAL})) << line;
  EXPECT_EQ(of_peer("private_key=" + kOther), Request(Refusal{EINVAL}));
  EXPECT_EQ(parse("get=1\nfwmark=1\n\n"), Request(Refusal{EINVAL}));
}

TEST(Uapi, RefusesLinesThatAreNoKeyWithAValue) {
  for (const char* line : {"fwmark", "public_key", " ", "\r", "\t"})
    EXPECT_EQ(set(std::string(line) + "\n"), Request(Refusal{EPROTO})) << line;
  for (const char* text : {"", "\n", "set=1", "set=1\n", "set=1\nfwmark=1", "set=1\nfwmark=1\n",
                           "set=2\n\n", "set=1\n\nfwmark=1\n\n", "got=1\n\n"})
    EXPECT_EQ(parse(text), Request(Refusal{EPROTO})) << text;
}

TEST(Uapi, OneBadLineRefusesTheWholeRequest) {
  EXPECT_EQ(set("fwmark=1\npublic_key=" + kKey + "\nallowed_ip=10.0.0.0/8\nallowed_ip=x\n"),
            Request(Refusal{EINVAL}));
}

TEST(Uapi, FindsTheEndOfARequest) {
  EXPECT_EQ(request_size(""), 0u);
  EXPECT_EQ(request_size("s"), 0u);
  EXPECT_EQ(request_size("set=1\nfwmark=1\n"), 0u);
  EXPECT_EQ(request_size("set=1\nfwmark=1\n\nget"), 16u);
  EXPECT_EQ(request_size("get=1\n\nget=1\n\n"), 7u);
  EXPECT_EQ(request_size("set=1\nfwmark=1\n\n", 15), 16u) << "the end began at the look before";
  EXPECT_EQ(request_size("get=2"), std::nullopt);
  EXPECT_EQ(request_size("GET / HTTP/1.0\n"), std::nullopt);
  EXPECT_EQ(request_size("\n\n"), std::nullopt);
}

TEST(Uapi, AnswersWithTheErrnoBelowZero) {
  EXPECT_EQ(errno_answer(0), "errno=0\n\n");
  EXPECT_EQ(errno_answer(EINVAL), "errno=-22\n\n");
}

TEST(Uapi, AnswersWithTheWholeTunnel) {
  config::Profile profile;
  profile.interface.private_key = secret_key(kOther);
  Status status;
  status.listen_port = 12912;
  config::Peer peer;
  peer.public_key = public_key(kKey);
  peer.preshared_key = secret_key(kOther);
  peer.persistent_keepalive = 25;
  peer.allowed_ips = {prefix("192.168.4.0/24"), prefix("fd00::/8")};
  PeerStatus state;
  state.endpoint = endpoint("[2607:5300:60:6b0::c05f:543]:2468");
  state.latest_handshake_usec = 1'700'000'000'000'250;
  state.traffic = {3, 2224, 4, 38333};
  profile.peers.push_back(peer);
  status.peers.push_back(state);
  profile.peers.emplace_back().public_key = public_key(kOther);
  status.peers.emplace_back();
  EXPECT_EQ(get_answer(profile, status, 0x4000), "private_key=" + kOther +
                                                     "\nlisten_port=12912\n"
                                                     "fwmark=16384\n"
                                                     "public_key=" +
                                                     kKey + "\npreshared_key=" + kOther +
                                                     "\nprotocol_version=1\n"
                                                     "endpoint=[2607:5300:60:6b0::c05f:543]:2468\n"
                                                     "last_handshake_time_sec=1700000000\n"
                                                     "last_handshake_time_nsec=250000\n"
                                                     "tx_bytes=38333\n"
                                                     "rx_bytes=2224\n"
                                                     "persistent_keepalive_interval=25\n"
                                                     "allowed_ip=192.168.4.0/24\n"
                                                     "allowed_ip=fd00::/8\n"
                                                     "public_key=" +
                                                     kOther + "\npreshared_key=" + kNone +
                                                     "\nprotocol_version=1\n"
                                                     "last_handshake_time_sec=0\n"
                                                     "last_handshake_time_nsec=0\n"
                                                     "tx_bytes=0\n"
                                                     "rx_bytes=0\n"
                                                     "persistent_keepalive_interval=0\n"
                                                     "errno=0\n\n");
}

// A random request, in the form that text_of() prints.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}

  SetRequest request() {
    SetRequest request;
    if (one_of(2)) request.private_key = accepted(set("private_key=" + key() + "\n")).private_key;
    if (one_of(2)) request.listen_port = static_cast<std::uint16_t>(one_of(65536));
    if (one_of(2)) request.fwmark = static_cast<std::uint32_t>(random_());
    request.replace_peers = one_of(2) == 1;
    for (unsigned i = one_of(4); i > 0; --i) request.peers.push_back(peer());
    return request;
  }

 private:
  unsigned one_of(unsigned count) { return static_cast<unsigned>(random_() % count); }
  std::string key() {
    std::string text;
    while (text.size() < 64) text += "0123456789abcdef"[one_of(16)];
    return text;
  }
  PeerChange peer() {
    PeerChange peer;
    peer.public_key = public_key(key());
    peer.update_only = one_of(2) == 1;
    peer.remove = one_of(2) == 1;
    peer.replace_allowed_ips = one_of(2) == 1;
    if (one_of(2)) peer.preshared_key = secret_key(key());
    if (one_of(2)) peer.endpoint = endpoint(one_of(2) ? "192.0.2.7:1" : "[2001:db8::7]:65535");
    if (one_of(2)) peer.persistent_keepalive = static_cast<std::uint16_t>(one_of(65536));
    for (unsigned i = one_of(4); i > 0; --i)
      peer.allowed_ips.push_back(
          {IpPrefix{IpAddress::v4(10, static_cast<std::uint8_t>(one_of(256)), 0, 0), 8 + one_of(25)}
               .network(),
           one_of(2) == 1});
    return peer;
  }

  std::mt19937 random_;
};

TEST(Uapi, ReadsWhatItPrints) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    const SetRequest request = Dice(seed).request();
    EXPECT_EQ(parse(text_of(request)), Request(request)) << "seed " << seed;
  }
}

TEST(Uapi, EveryPieceOfARequestIsAwaitedOrRefused) {
  const std::string text = text_of(Dice(7).request());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(request_size(text.substr(0, size)), 0u);
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse(text.substr(0, size)))) << size;
  }
}

}  // namespace
}  // namespace vpntun::session::uapi
