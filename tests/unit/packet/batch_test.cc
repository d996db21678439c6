#include "packet/batch.h"

#include "bytes.h"

namespace vpntun::packet {
namespace {

TEST(Batch, PacketsLieInTheirOwnSlots) {
  Batch batch(2);
  batch.append_copy(text("one"));
  batch.append_copy(text("two"));
  EXPECT_TRUE(batch.full());
  EXPECT_EQ(Bytes(batch[0].bytes.begin(), batch[0].bytes.end()), text("one"));
  EXPECT_EQ(batch[1].bytes.data() - batch[0].bytes.data(), static_cast<std::ptrdiff_t>(kSlotSize));
}

TEST(Batch, LargestPacketFitsWithItsTailroom) {
  Batch batch(1);
  Packet& packet = batch.append(kMaxPacket);
  EXPECT_EQ(packet.bytes.size(), kMaxPacket);
  packet.bytes.front() = 1;
  packet.bytes.back() = 2;
  *(packet.bytes.data() - kHeadroom) = 3;
  *(packet.bytes.data() + kMaxPacket + kTailroom - 1) = 4;
}

TEST(Batch, AppendForgetsWhatTheSlotHeld) {
  Batch batch(1);
  Packet& packet = batch.append_copy(text("x"));
  packet.peer = 5;
  packet.verdict = SendVerdict::kTooBig;
  batch.clear();
  EXPECT_TRUE(batch.empty());
  const Packet& again = batch.append_copy({});
  EXPECT_EQ(again.peer, kNoPeer);
  EXPECT_EQ(again.verdict, SendVerdict::kSent);
  EXPECT_TRUE(again.bytes.empty());
}

TEST(Batch, KeepsWhatItIsToldInOrder) {
  Batch batch(4);
  for (const char* name : {"a", "b", "c", "d"}) batch.append_copy(text(name));
  batch.keep_if([](const Packet& packet) { return packet.bytes[0] % 2 == 0; });
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].bytes[0], 'b');
  EXPECT_EQ(batch[1].bytes[0], 'd');
}

TEST(Batch, ViewsLeaveTheBytesWhereTheyAre) {
  Batch owner(1);
  owner.append_copy(text("x"));
  Batch view(1);
  view.append_view(owner[0]);
  EXPECT_EQ(view[0].bytes.data(), owner[0].bytes.data());
}

}  // namespace
}  // namespace vpntun::packet
