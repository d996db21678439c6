// Runs of datagrams: with what the kernel can do for many at once, and without, the same arrives.
#include <string>
#include <vector>

#include "packet/build.h"
#include "two_sockets.h"

namespace vpntun::os {
namespace {

using packet::Batch;
using packet::Bytes;
using packet::Reading;
using packet::SendVerdict;

struct Offers {
  bool segments;
  bool gathers;
};

class UdpRunsTest : public TwoSocketsTest, public ::testing::WithParamInterface<Offers> {
 protected:
  void SetUp() override {
    UdpOptions options;
    options.segments = GetParam().segments;
    options.gathers = GetParam().gathers;
    set_up(options);
    // Once each way is resolved, neighbour discovery holds no packet back.
    for (const char* to : {kV4, kV6}) {
      send({{to, 1}});
      EXPECT_EQ(collect(1).size(), 1u);
    }
  }

  struct Piece {
    const char* to;
    std::size_t size;
  };
  // Sends datagrams of these sizes in one batch, each filled with its number.
  Batch& send(const std::vector<Piece>& pieces) {
    sent_.clear();
    for (const Piece& piece : pieces) {
      Bytes bytes(piece.size, static_cast<std::uint8_t>(sent_.size()));
      sent_.append_copy(bytes).remote = endpoint(piece.to);
    }
    here().send(sent_);
    return sent_;
  }
  // What the far socket receives, read in batches of `capacity`.
  std::vector<Bytes> collect(std::size_t count, std::size_t capacity = packet::kBatchSize) {
    std::vector<Bytes> received;
    Batch batch(capacity, 0);
    eventually([&] {
      Reading reading = Reading::kMore;
      while (reading == Reading::kMore) {
        batch.clear();
        reading = there().receive(batch);
        for (const packet::Packet& packet : batch.packets()) {
          EXPECT_EQ(packet.remote.port, 9090);
          EXPECT_FALSE(packet.local.is_unspecified());
          received.emplace_back(packet.bytes.begin(), packet.bytes.end());
        }
      }
      return received.size() >= count;
    });
    return received;
  }
  static std::vector<Bytes> as_sent(const std::vector<Piece>& pieces) {
    std::vector<Bytes> bytes;
    for (const Piece& piece : pieces)
      bytes.emplace_back(piece.size, static_cast<std::uint8_t>(bytes.size()));
    return bytes;
  }

  static constexpr const char* kV4 = "10.9.0.2:4000";
  static constexpr const char* kV6 = "[fd00:9::2]:4000";

 private:
  Batch sent_;
};

INSTANTIATE_TEST_SUITE_P(Offloads, UdpRunsTest,
                         ::testing::Values(Offers{true, true}, Offers{true, false},
                                           Offers{false, true}, Offers{false, false}),
                         [](const auto& offers) {
                           return std::string(offers.param.segments ? "Segments" : "Single") +
                                  (offers.param.gathers ? "Gathers" : "Apart");
                         });

TEST_P(UdpRunsTest, ALongRunOfEqualDatagramsArrivesInOrder) {
  std::vector<Piece> pieces(packet::kBatchSize, {kV4, 1200});
  pieces.back().size = 7;
  for (const packet::Packet& packet : send(pieces).packets())
    EXPECT_EQ(packet.verdict, SendVerdict::kSent);
  EXPECT_EQ(collect(pieces.size()), as_sent(pieces));
}

TEST_P(UdpRunsTest, ARunIsReadInPieces) {
  const std::vector<Piece> pieces(50, {kV6, 300});
  send(pieces);
  EXPECT_EQ(collect(pieces.size(), 3), as_sent(pieces));
}

TEST_P(UdpRunsTest, SizesOfAnyOrderArriveAsTheyWere) {
  std::vector<Piece> pieces;
  for (const std::size_t size : {100, 100, 200, 200, 50, 50, 0, 0, 1, 1400, 1400, 1399, 1400, 3})
    pieces.push_back({kV4, size});
  send(pieces);
  EXPECT_EQ(collect(pieces.size()), as_sent(pieces));
}

TEST_P(UdpRunsTest, ARunDoesNotCrossDestinations) {
  std::vector<Piece> pieces;
  for (int i = 0; i < 60; ++i) pieces.push_back({i / 3 % 2 == 0 ? kV4 : kV6, 500});
  for (const packet::Packet& packet : send(pieces).packets())
    EXPECT_EQ(packet.verdict, SendVerdict::kSent);
  EXPECT_EQ(collect(pieces.size()), as_sent(pieces));
}

TEST_P(UdpRunsTest, WhatIsTooBigInARunIsNamedAndTheRestArrives) {
  Batch& batch = send({{kV4, 1400}, {kV4, 1600}, {kV4, 1600}, {kV4, 1600}, {kV4, 1300}});
  const std::vector<SendVerdict> expected{SendVerdict::kSent, SendVerdict::kTooBig,
                                          SendVerdict::kTooBig, SendVerdict::kTooBig,
                                          SendVerdict::kSent};
  for (std::size_t i = 0; i < batch.size(); ++i) EXPECT_EQ(batch[i].verdict, expected[i]) << i;
  EXPECT_EQ(batch[2].path_mtu, 1500u);
  const std::vector<Bytes> received = collect(2);
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(received[1], Bytes(1300, 4));
}

}  // namespace
}  // namespace vpntun::os
