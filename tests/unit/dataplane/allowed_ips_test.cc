#include "dataplane/allowed_ips.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace vpntun::dataplane {
namespace {

IpPrefix prefix(const std::string& text) {
  return *IpPrefix::parse(text);
}
PeerIndex find(const AllowedIps& ips, const std::string& text) {
  return ips.lookup(IpAddress::parse(text)->bytes());
}

TEST(AllowedIps, EmptyKnowsNobody) {
  const AllowedIps ips;
  EXPECT_EQ(find(ips, "10.0.0.1"), kNoPeer);
  EXPECT_EQ(find(ips, "::1"), kNoPeer);
  EXPECT_EQ(ips.size(), 0u);
}

TEST(AllowedIps, LongestPrefixWins) {
  AllowedIps ips;
  ips.insert(prefix("10.0.0.0/8"), 1);
  ips.insert(prefix("10.1.0.0/16"), 2);
  ips.insert(prefix("10.1.2.3/32"), 3);
  EXPECT_EQ(find(ips, "10.1.2.3"), 3u);
  EXPECT_EQ(find(ips, "10.1.2.4"), 2u);
  EXPECT_EQ(find(ips, "10.2.0.0"), 1u);
  EXPECT_EQ(find(ips, "11.0.0.0"), kNoPeer);
}

TEST(AllowedIps, OrderOfInsertionDoesNotMatter) {
  AllowedIps ips;
  ips.insert(prefix("10.1.2.3/32"), 3);
  ips.insert(prefix("10.1.0.0/16"), 2);
  ips.insert(prefix("0.0.0.0/0"), 0);
  ips.insert(prefix("10.0.0.0/8"), 1);
  EXPECT_EQ(find(ips, "10.1.2.3"), 3u);
  EXPECT_EQ(find(ips, "10.1.9.9"), 2u);
  EXPECT_EQ(find(ips, "10.9.9.9"), 1u);
  EXPECT_EQ(find(ips, "9.9.9.9"), 0u);
}

TEST(AllowedIps, FamiliesDoNotMix) {
  AllowedIps ips;
  ips.insert(prefix("::/0"), 6);
  EXPECT_EQ(find(ips, "10.0.0.1"), kNoPeer);
  ips.insert(prefix("0.0.0.0/0"), 4);
  EXPECT_EQ(find(ips, "10.0.0.1"), 4u);
  EXPECT_EQ(find(ips, "2001:db8::1"), 6u);
}

TEST(AllowedIps, SamePrefixChangesItsOwner) {
  AllowedIps ips;
  ips.insert(prefix("10.0.0.0/8"), 1);
  ips.insert(prefix("10.9.9.9/8"), 2);  // host bits ignored
  EXPECT_EQ(find(ips, "10.1.1.1"), 2u);
  EXPECT_EQ(ips.size(), 1u);
}

TEST(AllowedIps, ForkNodeCanBecomeAPrefix) {
  AllowedIps ips;
  ips.insert(prefix("10.0.0.0/24"), 1);
  ips.insert(prefix("10.0.1.0/24"), 2);  // their fork is 10.0.0.0/23
  EXPECT_EQ(ips.size(), 2u);
  ips.insert(prefix("10.0.0.0/23"), 3);
  EXPECT_EQ(ips.size(), 3u);
  ips.remove_peer(1);
  EXPECT_EQ(find(ips, "10.0.0.1"), 3u);
  EXPECT_EQ(find(ips, "10.0.1.1"), 2u);
}

TEST(AllowedIps, AgreesWithASlowReference) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const bool v6 : {false, true}) {
    AllowedIps ips;
    std::map<IpPrefix, PeerIndex> reference;
    // Few distinct bytes, so that prefixes nest and share beginnings.
    const auto random_address = [&] {
      std::array<std::uint8_t, 16> bytes{};
      for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : (random() % 2) * 0x80);
      return v6 ? IpAddress::v6(bytes)
                : IpAddress::v4(std::span<const std::uint8_t, 4>(bytes.data(), 4));
    };
    for (int i = 0; i < 500; ++i) {
      const auto peer = static_cast<PeerIndex>(random() % 20);
      if (random() % 50 == 0) {
        ips.remove_peer(peer);
        std::erase_if(reference, [&](const auto& entry) { return entry.second == peer; });
        continue;
      }
      IpPrefix added{random_address(), 0};
      added.length = static_cast<unsigned>(random() % (added.address.bits() + 1));
      ips.insert(added, peer);
      reference[added.network()] = peer;
    }
    EXPECT_EQ(ips.size(), reference.size());
    for (int i = 0; i < 1500; ++i) {
      const IpAddress wanted = random_address();
      PeerIndex best = kNoPeer;
      int length = -1;
      for (const auto& [known, peer] : reference) {
        if (static_cast<int>(known.length) <= length || !known.contains(wanted)) continue;
        best = peer;
        length = static_cast<int>(known.length);
      }
      ASSERT_EQ(ips.lookup(wanted.bytes()), best) << wanted.to_string();
    }
  }
}

TEST(AllowedIps, HoldsAHundredThousandPrefixes) {
  AllowedIps ips;
  for (std::uint32_t i = 0; i < 100'000; ++i)
    ips.insert({IpAddress::v4(10, static_cast<std::uint8_t>(i >> 16),
                              static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)),
                32},
               i);
  EXPECT_EQ(ips.size(), 100'000u);
  for (std::uint32_t i = 0; i < 100'000; i += 37) {
    const std::array<std::uint8_t, 4> wanted{10, static_cast<std::uint8_t>(i >> 16),
                                             static_cast<std::uint8_t>(i >> 8),
                                             static_cast<std::uint8_t>(i)};
    ASSERT_EQ(ips.lookup(wanted), i);
  }
}

}  // namespace
}  // namespace vpntun::dataplane
