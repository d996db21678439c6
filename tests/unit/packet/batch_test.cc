#include "packet/batch.h"

#include "bytes.h"

namespace vpntun::packet {
namespace {

TEST(Batch, PacketsKeepTheirDistance) {
  Batch batch(2);
  batch.append_copy(text("one"));
  batch.append_copy(text("two"));
  EXPECT_TRUE(batch.full());
  EXPECT_EQ(Bytes(batch[0].bytes.begin(), batch[0].bytes.end()), text("one"));
  EXPECT_GE(batch[1].bytes.data() - kHeadroom, batch[0].bytes.data() + 3 + kTailroom);
}

TEST(Batch, LargestPacketFitsWithItsTailroomAndNothingMore) {
  Batch batch(2, kHeadroom + kMaxPacket + kTailroom);
  EXPECT_FALSE(batch.fits(kMaxPacket + 1));
  ASSERT_TRUE(batch.fits(kMaxPacket));
  EXPECT_EQ(batch.room().size(), kMaxPacket);
  Packet& packet = batch.append(kMaxPacket);
  EXPECT_EQ(packet.bytes.size(), kMaxPacket);
  packet.bytes.front() = 1;
  packet.bytes.back() = 2;
  *(packet.bytes.data() - kHeadroom) = 3;
  *(packet.bytes.data() + kMaxPacket + kTailroom - 1) = 4;
  EXPECT_FALSE(batch.full());
  EXPECT_FALSE(batch.fits(0));
  EXPECT_TRUE(batch.room().empty());
  batch.clear();
  EXPECT_TRUE(batch.fits(kMaxPacket));
}

TEST(Batch, ABatchOfViewsHasNoMemoryOfItsOwn) {
  Batch views(1, 0);
  EXPECT_FALSE(views.fits(0));
  EXPECT_TRUE(views.room().empty());
  EXPECT_FALSE(views.full());
}

TEST(Batch, ACopyHasItsOwnBytesAndAllElse) {
  Batch owner(1);
  Packet& packet = owner.append_copy(text("x"));
  packet.peer = 7;
  packet.traffic_class = 3;
  Batch batch(2);
  const Packet& copy = batch.append_copy(packet);
  EXPECT_NE(copy.bytes.data(), packet.bytes.data());
  EXPECT_EQ(Bytes(copy.bytes.begin(), copy.bytes.end()), text("x"));
  EXPECT_EQ(copy.peer, 7u);
  EXPECT_EQ(copy.traffic_class, 3);
  batch.drop_last();
  EXPECT_TRUE(batch.empty());
}

TEST(Batch, AppendForgetsWhatTheSlotHeld) {
  Batch batch(1);
  Packet& packet = batch.append_copy(text("x"));
  packet.peer = 5;
  packet.verdict = SendVerdict::kTooBig;
  batch.clear();
  EXPECT_TRUE(batch.empty());
  const Packet& again = batch.append_copy(Bytes{});
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
