#include "packet/offload_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace vpntun::packet {
namespace {

using Is = OffloadState::Is;

TEST(OffloadState, HasTheNamesOfTheKernel) {
  std::vector<std::string> names;
  for (const OffloadKind kind :
       {OffloadKind::kTso4, OffloadKind::kTso6, OffloadKind::kUso4, OffloadKind::kUso6,
        OffloadKind::kUdpSegment, OffloadKind::kUdpGro})
    names.emplace_back(to_string(kind));
  EXPECT_THAT(names,
              testing::ElementsAre("tso4", "tso6", "uso4", "uso6", "udp-segment", "udp-gro"));
}

TEST(OffloadState, IsAtFirstWhatWasWantedAndWhatTheKernelSaid) {
  EXPECT_EQ(first_state(OffloadKind::kUso4, true, 0), (OffloadState{OffloadKind::kUso4, Is::kOn}));
  EXPECT_EQ(first_state(OffloadKind::kUso6, true, EINVAL),
            (OffloadState{OffloadKind::kUso6, Is::kNotSupported, EINVAL}));
  EXPECT_EQ(first_state(OffloadKind::kUdpGro, false, EINVAL),
            (OffloadState{OffloadKind::kUdpGro, Is::kForbidden, 0}));
}

TEST(OffloadState, HasAReasonWhenItIsOffAndNoneWhenItIsOn) {
  EXPECT_EQ(reason_of({OffloadKind::kTso4, Is::kOn}), Reason{});
  std::set<std::string> codes;
  std::set<std::string> texts;
  for (const Is is : {Is::kForbidden, Is::kNotSupported, Is::kOpenedWithout, Is::kRefused}) {
    const OffloadState state{OffloadKind::kUdpSegment, is, EIO};
    EXPECT_FALSE(state.on());
    codes.insert(reason_of(state).code);
    texts.insert(reason_of(state).text);
  }
  EXPECT_THAT(codes,
              testing::ElementsAre("forbidden", "not-supported", "opened-without", "refused"));
  EXPECT_EQ(texts.size(), 4u);
}

TEST(OffloadState, SaysWhatTheKernelSaid) {
  EXPECT_EQ(reason_of({OffloadKind::kUso4, Is::kNotSupported, EINVAL}).text,
            "not offered by the kernel: Invalid argument");
  EXPECT_EQ(reason_of({OffloadKind::kUdpSegment, Is::kRefused, EIO}).text,
            "refused on the way out: Input/output error");
}

}  // namespace
}  // namespace vpntun::packet
