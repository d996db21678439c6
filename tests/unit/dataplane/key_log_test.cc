// Secrets in captures: their text, who gets them, and that a slow reader loses packets before keys.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/wire.h"
#include "dataplane/capture.h"
#include "dataplane/key_log_text.h"
#include "simulated.h"

namespace vpntun::dataplane {
namespace {

using crypto::SecretKey;

struct Handshake {
  SecretKey local_static = SecretKey::generate_private();
  crypto::PublicKey remote_static = crypto::public_key_of(SecretKey::generate_private());
  SecretKey ephemeral = SecretKey::generate_private();
  SecretKey preshared;

  wg::HandshakeSecrets secrets() const {
    return {local_static, remote_static, ephemeral, preshared};
  }
};

std::string text_of(const wg::HandshakeSecrets& secrets) {
  const KeyLogText text(secrets);
  return {text.bytes().begin(), text.bytes().end()};
}

TEST(KeyLogText, IsThatOfWiresharksKeyLog) {
  const Handshake one;
  EXPECT_EQ(text_of(one.secrets()),
            "LOCAL_STATIC_PRIVATE_KEY = " + one.local_static.expose_text() +
                "\nREMOTE_STATIC_PUBLIC_KEY = " + one.remote_static.to_string() +
                "\nLOCAL_EPHEMERAL_PRIVATE_KEY = " + one.ephemeral.expose_text() + "\n");
}

TEST(KeyLogText, HasThePresharedKeyBehindTheEphemeralOneItBelongsTo) {
  Handshake one;
  one.preshared = SecretKey::generate_preshared();
  EXPECT_TRUE(text_of(one.secrets())
                  .ends_with(one.ephemeral.expose_text() +
                             "\nPRESHARED_KEY = " + one.preshared.expose_text() + "\n"));
}

std::size_t key_blocks(const std::string& file) {
  std::size_t blocks = 0;
  for (std::size_t at = 0; (at = file.find("LOCAL_STATIC", at)) != std::string::npos; ++at)
    ++blocks;
  return blocks;
}

// The two captures of a tunnel: one with secrets and one without.
struct SecretCapture : testing::Test {
  SecretCapture() {
    sim.peers({configured("server", "10.0.2.9:9090", {"192.168.60.0/24"})});
    open(1, true);
    open(2, false);
  }
  void open(std::uint64_t id, bool secrets) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    readers.emplace_back(ends[0]);
    sim.tables.captures.add(id, UniqueFd(ends[1]), {.secrets = secrets});
  }
  CaptureTap& tap(std::size_t which) { return sim.tables.captures.taps()[which]; }
  // What the reader gets, until there is nothing more.
  std::string read_all(std::size_t which) {
    std::string all;
    std::string part(1 << 20, '\0');
    do {
      EXPECT_TRUE(tap(which).flush());
      const ssize_t got = ::read(readers[which].get(), part.data(), part.size());
      all.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    } while (tap(which).has_pending());
    return all;
  }
  void send(std::size_t size) {
    sim.from_inside(ip_packet("192.168.53.99", "192.168.60.101", size));
  }

  Simulation sim{false};
  Handshake handshake;
  std::vector<UniqueFd> readers;
};

TEST_F(SecretCapture, OnlyWhoAskedHasThem) {
  sim.tables.captures.secrets(handshake.secrets());
  EXPECT_NE(read_all(0).find(text_of(handshake.secrets())), std::string::npos);
  const std::string other = read_all(1);
  EXPECT_FALSE(other.empty());
  EXPECT_EQ(other.find("KEY"), std::string::npos);
}

TEST_F(SecretCapture, TheyStandInFrontOfWhatIsRecordedLater) {
  sim.tables.captures.secrets(handshake.secrets());
  send(10);
  const std::string all = read_all(0);
  EXPECT_LT(all.find("PRIVATE_KEY"), all.find("pair 1"));
}

TEST_F(SecretCapture, SomebodyWantsThemUntilThatCaptureEnds) {
  EXPECT_TRUE(sim.tables.captures.wants_secrets());
  sim.tables.captures.taps().erase(sim.tables.captures.taps().begin());
  EXPECT_FALSE(sim.tables.captures.wants_secrets());
}

TEST_F(SecretCapture, ASlowReaderLosesPacketsBeforeKeys) {
  while (tap(0).lost() == 0) send(10);
  for (int i = 0; i < 100; ++i) sim.tables.captures.secrets(handshake.secrets());
  EXPECT_EQ(key_blocks(read_all(0)), 100u);
}

TEST_F(SecretCapture, KeysAreBoundedTooAndLostOnesAreCounted) {
  for (int i = 0; i < 10'000; ++i) sim.tables.captures.secrets(handshake.secrets());
  const std::uint64_t lost = tap(0).lost();
  const std::string all = read_all(0);
  EXPECT_LE(all.size(), CaptureTap::kMaxPending + 1'000);
  EXPECT_EQ(key_blocks(all) + lost, 10'000u);
}

}  // namespace
}  // namespace vpntun::dataplane
