// A session's counters and padding, and which of three sessions is which.
#include "wg/keypair.h"

#include <gtest/gtest.h>

#include "allocations.h"
#include "two_devices.h"

namespace vpntun::wg {
namespace {

constexpr Instant kBorn{1000s};

std::unique_ptr<Keypair> made(Instant created, bool initiator = true) {
  auto keypair =
      std::make_unique<Keypair>(initiator ? TransportKeys{.send = key_of(1), .receive = key_of(2)}
                                          : TransportKeys{.send = key_of(2), .receive = key_of(1)});
  keypair->remote_index = 0x01020304;
  keypair->created = created;
  keypair->initiator = initiator;
  return keypair;
}

std::unique_ptr<Keypair> opposite(Instant created) {
  return made(created, false);
}

Datagram sealed(Keypair& keypair, std::size_t payload, std::size_t mtu = 0) {
  const std::size_t size = padded_size(payload, mtu);
  Datagram room(kDataOverhead + size, 0xee);
  Sealing sealing = keypair.seal(MutableBytes(room).subspan(kDataHeaderSize, payload), size);
  sealing.finish();
  EXPECT_EQ(sealing.datagram().data(), room.data());
  EXPECT_EQ(sealing.datagram().size(), room.size());
  return room;
}

TEST(Keypair, ADatagramIsHeaderCounterAndSealedPayload) {
  const auto keypair = made(kBorn);
  const Datagram first = sealed(*keypair, 20);
  EXPECT_EQ(first.size(), 32u + 32u);
  EXPECT_EQ(Datagram(first.begin(), first.begin() + 16),
            (Datagram{4, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(read_data_header(sealed(*keypair, 20)).counter, 1u);
  EXPECT_EQ(sealed(*keypair, 0).size(), 32u);
}

TEST(Keypair, WhatOneSealsTheOtherOpensWithThePaddingAsZeros) {
  const auto from = made(kBorn);
  const auto to = opposite(kBorn);
  Datagram datagram = sealed(*from, 20);
  const auto opened = to->open(datagram, {}, kBorn);
  ASSERT_FALSE(opened.refusal);
  Datagram expected(20, 0xee);
  expected.resize(32);
  EXPECT_EQ(Datagram(opened.payload.begin(), opened.payload.end()), expected);
}

TEST(Keypair, PayloadsArePaddedTo16BytesAndNeverAboveTheMtu) {
  EXPECT_EQ(padded_size(0, 1420), 0u);
  EXPECT_EQ(padded_size(1, 1420), 16u);
  EXPECT_EQ(padded_size(16, 1420), 16u);
  EXPECT_EQ(padded_size(1409, 1420), 1420u);
  EXPECT_EQ(padded_size(1420, 1420), 1420u);  // on the wire 1452, as the kernel's
  EXPECT_EQ(padded_size(1420, 0), 1424u);
  EXPECT_EQ(padded_size(1421, 1420), 1436u);  // the rest of one byte
  EXPECT_EQ(padded_size(2840, 1420), 2840u);
  for (std::size_t size = 0; size < 3000; ++size) {
    ASSERT_GE(padded_size(size, 1420), size);
    ASSERT_LT(padded_size(size, 1420), size + kPadding);
  }
}

TEST(Keypair, ASuccessorIsAskedForAfter2To60MessagesByEitherSide) {
  for (const bool initiator : {true, false}) {
    const auto keypair = made(kBorn, initiator);
    keypair->next_counter = (std::uint64_t{1} << 60);
    EXPECT_FALSE(keypair->wants_successor(kBorn));
    ++keypair->next_counter;
    EXPECT_TRUE(keypair->wants_successor(kBorn));
  }
}

TEST(Keypair, NothingIsSentOrTakenFrom2To64Minus2To13Minus1On) {
  const auto from = made(kBorn);
  const auto to = opposite(kBorn);
  from->next_counter = ~std::uint64_t{0} - 8193;
  ASSERT_TRUE(from->can_send(kBorn));
  Datagram last = sealed(*from, 1);
  EXPECT_FALSE(from->can_send(kBorn));
  Datagram beyond = sealed(*from, 1);
  EXPECT_EQ(to->open(beyond, {}, kBorn).refusal, Refusal::kExpired);
  EXPECT_FALSE(to->open(last, {}, kBorn).refusal);
}

TEST(Keypair, TimesOfAKeypairAreThoseOfThePaper) {
  const auto ours = made(kBorn);
  const auto theirs = made(kBorn, false);
  EXPECT_FALSE(ours->wants_successor(kBorn + 120s - 1ns));
  EXPECT_TRUE(ours->wants_successor(kBorn + 120s));
  EXPECT_FALSE(theirs->wants_successor(kBorn + 179s));
  EXPECT_FALSE(ours->wants_successor_soon(kBorn + 165s - 1ns));
  EXPECT_TRUE(ours->wants_successor_soon(kBorn + 165s));
  EXPECT_FALSE(theirs->wants_successor_soon(kBorn + 179s));
  EXPECT_FALSE(ours->expired(kBorn + 180s - 1ns));
  EXPECT_TRUE(ours->expired(kBorn + 180s));
}

TEST(Keypair, WhatWasOpenedBeforeIsNotDecryptedAgain) {
  const auto from = made(kBorn);
  const auto to = opposite(kBorn);
  Datagram datagram = sealed(*from, 20);
  Datagram twin = datagram;
  Datagram forged = sealed(*from, 20);
  forged.back() ^= 1;
  const auto refusal = [&](Datagram& each) {
    Opening opening(to->ciphers, each);
    opening.finish();
    return to->open(each, opening, kBorn).refusal;
  };
  EXPECT_FALSE(refusal(datagram));
  EXPECT_EQ(refusal(twin), Refusal::kReplayed);
  EXPECT_EQ(refusal(forged), Refusal::kNotAuthentic);
}

// Its index may have become another session's meanwhile.
TEST(Keypair, WhatAnotherSessionOpenedIsNotAuthentic) {
  const auto from = made(kBorn);
  const auto to = opposite(kBorn);
  const auto same_keys = opposite(kBorn);
  Datagram datagram = sealed(*from, 20);
  Opening opening(same_keys->ciphers, datagram);
  opening.finish();
  EXPECT_TRUE(opening.authentic());
  EXPECT_EQ(to->open(datagram, opening, kBorn).refusal, Refusal::kNotAuthentic);
}

TEST(Keypair, TheOpeningOfOneDatagramDoesNotSpeakForAnother) {
  const auto from = made(kBorn);
  const auto to = opposite(kBorn);
  Datagram datagram = sealed(*from, 20);
  Datagram forged = sealed(*from, 20);
  forged.back() ^= 1;
  Opening opening(to->ciphers, datagram);
  opening.finish();
  EXPECT_TRUE(opening.authentic());
  EXPECT_EQ(to->open(forged, opening, kBorn).refusal, Refusal::kNotAuthentic);
}

TEST(Keypair, WhatWasBegunEndsWithoutTheSession) {
  auto from = made(kBorn);
  auto to = opposite(kBorn);
  Datagram room(kDataOverhead + 16);
  Sealing sealing = from->seal(MutableBytes(room).subspan(kDataHeaderSize, 16), 16);
  from.reset();
  sealing.finish();
  Opening opening(to->ciphers, sealing.datagram());
  to.reset();
  opening.finish();
  EXPECT_TRUE(opening.authentic());
}

TEST(Keypairs, OneThatWeBeganIsSentWithAtOnce) {
  Keypairs keypairs;
  EXPECT_EQ(keypairs.sendable(kBorn), nullptr);
  auto first = made(kBorn);
  const Keypair* const pointer = first.get();
  keypairs.add_ours(std::move(first));
  EXPECT_EQ(keypairs.sendable(kBorn), pointer);
  EXPECT_EQ(keypairs.sendable(kBorn + 180s), nullptr);
  EXPECT_FALSE(keypairs.confirm(pointer));
}

TEST(Keypairs, OneThatThePeerBeganIsSentWithWhenItIsConfirmed) {
  Keypairs keypairs;
  auto first = made(kBorn, false);
  const Keypair* const pointer = first.get();
  keypairs.add_theirs(std::move(first));
  EXPECT_EQ(keypairs.current(), nullptr);
  EXPECT_TRUE(keypairs.confirm(pointer));
  EXPECT_EQ(keypairs.current(), pointer);
  EXPECT_FALSE(keypairs.confirm(pointer)) << "once";
}

TEST(Keypairs, OneThatIsConfirmedAfterAYoungerOneIsInUseOnlyReceives) {
  Keypairs keypairs;
  auto theirs = made(kBorn, false);
  auto ours = made(kBorn + 1ms);
  const Keypair* const older = theirs.get();
  const Keypair* const younger = ours.get();
  keypairs.add_theirs(std::move(theirs));
  keypairs.add_ours(std::move(ours));
  EXPECT_FALSE(keypairs.confirm(older));
  EXPECT_EQ(keypairs.current(), younger);
}

TEST(Keypairs, KeysAreWipedWithTheirSession) {
  const crypto::SecretKey key = key_of(1);
  const FreedWith freed(key.expose());
  {
    auto unwiped = std::make_unique<std::array<std::uint8_t, crypto::kKeySize>>();
    std::ranges::copy(key.expose(), unwiped->begin());
  }
  EXPECT_EQ(freed.times(), 1u) << "the test sees nothing";
  Keypairs keypairs;
  for (int i = 0; i < 3; ++i) keypairs.add_ours(made(kBorn));
  keypairs.add_theirs(opposite(kBorn));
  keypairs.add_theirs(opposite(kBorn));
  keypairs.clear();
  EXPECT_EQ(freed.times(), 1u);
}

}  // namespace
}  // namespace vpntun::wg
