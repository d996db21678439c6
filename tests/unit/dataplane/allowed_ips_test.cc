#include "dataplane/allowed_ips.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace vpntun::dataplane {
namespace {

IpPrefix prefix(const std::string& text) {
  return *IpPrefix::parse(text);
}

using Claims = std::vector<std::pair<std::string, PeerIndex>>;
AllowedIps table(const Claims& claims) {
  std::vector<AllowedIp> all;
  for (const auto& [text, peer] : claims) all.push_back({prefix(text), peer});
  return AllowedIps(all);
}
PeerIndex find(const AllowedIps& ips, const std::string& text) {
  return ips.lookup(IpAddress::parse(text)->bytes());
}

IpAddress address_of(std::span<const std::uint8_t> bytes) {
  return bytes.size() == 4 ? IpAddress::v4(bytes.first<4>()) : IpAddress::v6(bytes.first<16>());
}

// The address before or after; none beyond the first and the last.
std::optional<IpAddress> next_to(const IpAddress& address, bool after) {
  std::vector<std::uint8_t> bytes(address.bytes().begin(), address.bytes().end());
  for (std::size_t i = bytes.size(); i-- > 0;) {
    bytes[i] = static_cast<std::uint8_t>(after ? bytes[i] + 1 : bytes[i] - 1);
    if (bytes[i] != (after ? 0x00 : 0xff)) return address_of(bytes);
  }
  return std::nullopt;
}

IpAddress last_of(const IpPrefix& wanted) {
  const IpAddress first = wanted.network().address;
  std::vector<std::uint8_t> bytes(first.bytes().begin(), first.bytes().end());
  for (std::size_t bit = wanted.length; bit < bytes.size() * 8; ++bit)
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | (0x80 >> (bit % 8)));
  return address_of(bytes);
}

// What the table is held against: asks for every length, the longest first.
class SlowReference {
 public:
  explicit SlowReference(const std::vector<AllowedIp>& all) {
    for (const AllowedIp& each : all) owners_[each.prefix.network()] = each.peer;
  }
  PeerIndex lookup(const IpAddress& wanted) const {
    for (unsigned length = wanted.bits() + 1; length-- > 0;)
      if (const auto found = owners_.find(IpPrefix{wanted, length}.network());
          found != owners_.end())
        return found->second;
    return kNoPeer;
  }

 private:
  std::map<IpPrefix, PeerIndex> owners_;
};

void expect_same(const AllowedIps& ips, const SlowReference& reference, const IpAddress& wanted) {
  ASSERT_EQ(ips.lookup(wanted.bytes()), reference.lookup(wanted)) << wanted.to_string();
}

// At the first and the last address of every `step`-th prefix, and right beside it.
void expect_same_edges(const std::vector<AllowedIp>& all, std::size_t step = 1) {
  const AllowedIps ips(all);
  const SlowReference reference(all);
  for (std::size_t i = 0; i < all.size(); i += step) {
    const IpAddress first = all[i].prefix.network().address;
    const IpAddress last = last_of(all[i].prefix);
    expect_same(ips, reference, first);
    expect_same(ips, reference, last);
    if (const auto before = next_to(first, false)) expect_same(ips, reference, *before);
    if (const auto after = next_to(last, true)) expect_same(ips, reference, *after);
    if (testing::Test::HasFatalFailure()) return;
  }
}

class Chance {
 public:
  Chance() : seed_(std::random_device{}()), random_(seed_) {}
  std::string seed() const { return "seed " + std::to_string(seed_); }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  IpAddress address(bool v6) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    return address_of(std::span(bytes).first(v6 ? 16 : 4));
  }
  // Few distinct bytes, so that prefixes nest and share beginnings.
  IpAddress alike(bool v6) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint8_t& byte : bytes)
      byte = static_cast<std::uint8_t>(below(4) == 0 ? random_() : below(2) * 0x80);
    return address_of(std::span(bytes).first(v6 ? 16 : 4));
  }

 private:
  unsigned seed_;
  std::mt19937 random_;
};

TEST(AllowedIps, EmptyKnowsNobody) {
  const AllowedIps ips;
  for (const char* address : {"0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1",
                              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
    EXPECT_EQ(find(ips, address), kNoPeer) << address;
}

TEST(AllowedIps, LongestPrefixWins) {
  const AllowedIps ips = table({{"10.0.0.0/8", 1}, {"10.1.0.0/16", 2}, {"10.1.2.3/32", 3}});
  EXPECT_EQ(find(ips, "10.1.2.3"), 3u);
  EXPECT_EQ(find(ips, "10.1.2.4"), 2u);
  EXPECT_EQ(find(ips, "10.2.0.0"), 1u);
  EXPECT_EQ(find(ips, "11.0.0.0"), kNoPeer);
}

TEST(AllowedIps, OrderDoesNotMatter) {
  const AllowedIps ips =
      table({{"10.1.2.3/32", 3}, {"10.1.0.0/16", 2}, {"0.0.0.0/0", 0}, {"10.0.0.0/8", 1}});
  EXPECT_EQ(find(ips, "10.1.2.3"), 3u);
  EXPECT_EQ(find(ips, "10.1.9.9"), 2u);
  EXPECT_EQ(find(ips, "10.9.9.9"), 1u);
  EXPECT_EQ(find(ips, "9.9.9.9"), 0u);
}

TEST(AllowedIps, FamiliesDoNotMix) {
  EXPECT_EQ(find(table({{"::/0", 6}}), "10.0.0.1"), kNoPeer);
  EXPECT_EQ(find(table({{"0.0.0.0/0", 4}}), "2001:db8::1"), kNoPeer);
  const AllowedIps both = table({{"::/0", 6}, {"0.0.0.0/0", 4}});
  EXPECT_EQ(find(both, "10.0.0.1"), 4u);
  EXPECT_EQ(find(both, "2001:db8::1"), 6u);
}

TEST(AllowedIps, OfEqualPrefixesTheLastCounts) {
  EXPECT_EQ(find(table({{"10.0.0.0/8", 2}, {"10.9.9.9/8", 1}}), "10.1.1.1"), 1u);  // host bits
  EXPECT_EQ(find(table({{"fd00::1/128", 2}, {"fd00::1/128", 1}}), "fd00::1"), 1u);
  EXPECT_EQ(find(table({{"fd00::/64", 2}, {"fd00::/64", 1}}), "fd00::1"), 1u);
  EXPECT_EQ(find(table({{"::/0", 2}, {"::/0", 1}}), "fd00::1"), 1u);
}

TEST(AllowedIps, DefaultRoutesReachFromTheFirstAddressToTheLast) {
  const AllowedIps ips = table({{"0.0.0.0/0", 4}, {"::/0", 6}});
  EXPECT_EQ(find(ips, "0.0.0.0"), 4u);
  EXPECT_EQ(find(ips, "255.255.255.255"), 4u);
  EXPECT_EQ(find(ips, "::"), 6u);
  EXPECT_EQ(find(ips, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 6u);
}

TEST(AllowedIps, APrefixLongerThan64BitsIsAloneInItsNetwork) {
  const AllowedIps ips =
      table({{"fd00:0:0:1::/64", 1}, {"fd00:0:0:1:8000::/65", 2}, {"fd00::7", 3}});
  EXPECT_EQ(find(ips, "fd00:0:0:1:7fff:ffff:ffff:ffff"), 1u);
  EXPECT_EQ(find(ips, "fd00:0:0:1:8000::"), 2u);
  EXPECT_EQ(find(ips, "fd00::7"), 3u);
  EXPECT_EQ(find(ips, "fd00::6"), kNoPeer);
  EXPECT_EQ(find(ips, "fd00:0:0:2:8000::"), kNoPeer);
}

// Around every address, each length has an owner of its own.
TEST(AllowedIps, EveryLengthWorks) {
  Chance chance;
  SCOPED_TRACE(chance.seed());
  for (const bool v6 : {false, true}) {
    for (const IpAddress& middle :
         {chance.address(v6), IpAddress::unspecified(v6 ? Family::kIpv6 : Family::kIpv4),
          last_of({chance.address(v6), 0})}) {
      std::vector<AllowedIp> all;
      for (unsigned length = 0; length <= middle.bits(); ++length)
        all.push_back({{middle, length}, length});
      expect_same_edges(all);
      while (!all.empty()) {  // and without the longer ones
        ASSERT_EQ(AllowedIps(all).lookup(middle.bytes()), all.size() - 1);
        all.pop_back();
      }
    }
  }
}

// Neighbours that, with what is before and behind them, fill a node, or all nodes of a level; one
// less, and one more.
TEST(AllowedIps, NodesMayBeFull) {
  for (const std::uint32_t ranges : {6u, 8u, 54u, 264u, 486u, 4374u, 8712u}) {
    for (std::uint32_t count = ranges - 3; count < ranges; ++count) {
      std::vector<AllowedIp> v4;
      std::vector<AllowedIp> v6;
      std::vector<AllowedIp> networks;
      for (std::uint32_t i = 0; i < count; ++i) {
        const auto high = static_cast<std::uint8_t>(i >> 8);
        const auto low = static_cast<std::uint8_t>(i);
        const std::array<std::uint8_t, 16> host{0xfd, 0, 0, 0, 0, 0, 0,    0,
                                                0,    0, 0, 0, 0, 0, high, low};
        const std::array<std::uint8_t, 16> network{0xfd, 0, 0, 0, 0, 0, high, low};
        v4.push_back({{IpAddress::v4(10, 0, high, low), 32}, i});
        v6.push_back({{IpAddress::v6(host), 128}, i});
        networks.push_back({{IpAddress::v6(network), 64}, i});
      }
      const std::size_t step = count / 50 + 1;
      expect_same_edges(v4, step);
      expect_same_edges(v6, step);
      expect_same_edges(networks, step);
      ASSERT_FALSE(HasFatalFailure()) << count;
    }
  }
}

TEST(AllowedIps, AgreesWithASlowReference) {
  Chance chance;
  SCOPED_TRACE(chance.seed());
  for (const bool v6 : {false, true}) {
    std::vector<AllowedIp> all;
    for (int i = 0; i < 500; ++i) {
      const IpAddress address = chance.alike(v6);
      all.push_back({{address, chance.below(address.bits() + 1)}, chance.below(20)});
    }
    const AllowedIps ips(all);
    const SlowReference reference(all);
    for (int i = 0; i < 1500; ++i) expect_same(ips, reference, chance.alike(v6));
    for (; all.size() > 3; all.resize(all.size() / 2)) expect_same_edges(all);
  }
}

TEST(AllowedIps, AgreesWithASlowReferenceOnAHundredThousandPrefixes) {
  Chance chance;
  SCOPED_TRACE(chance.seed());
  std::vector<AllowedIp> all;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const IpAddress address = chance.address(i % 2 == 0);
    all.push_back({{address, 12 + chance.below(address.bits() - 11)}, i});
  }
  expect_same_edges(all, 97);
}

}  // namespace
}  // namespace vpntun::dataplane
