#include "session/peer_name.h"

#include <gtest/gtest.h>

#include "values.h"

namespace vpntun::session {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

NameAnswer answer_of(std::initializer_list<const char*> endpoints) {
  NameAnswer answer;
  for (const char* text : endpoints) answer.endpoints.push_back(endpoint(text));
  return answer;
}
const NameAnswer kNotFound{{}, "Name or service not known"};

PeerName name_with(NameRules rules = {}) {
  return {"vpn.example.org", 9090, rules};
}

TEST(PeerName, IsLookedUpAtOnceAndOneQuestionAtATime) {
  PeerName name = name_with();
  EXPECT_EQ(name.state(), NameState::kPending);
  EXPECT_TRUE(name.due(false, kStart));
  name.asked(kStart);
  EXPECT_FALSE(name.due(false, kStart + 1h));
}

TEST(PeerName, IsTriedAgainEveryTenSecondsUntilItWorks) {
  PeerName name = name_with();
  name.asked(kStart);
  EXPECT_FALSE(name.answered(kNotFound));
  EXPECT_EQ(name.state(), NameState::kFailed);
  EXPECT_EQ(name.failure(), "Name or service not known");
  EXPECT_FALSE(name.due(false, kStart + 9s));
  EXPECT_TRUE(name.due(false, kStart + 10s));
  name.asked(kStart + 10s);
  EXPECT_TRUE(name.answered(answer_of({"10.0.2.8:9090"})));
  EXPECT_EQ(name.state(), NameState::kResolved);
  EXPECT_EQ(name.endpoint(), endpoint("10.0.2.8:9090"));
  EXPECT_FALSE(name.due(false, kStart + 1h));
}

TEST(PeerName, IsTriedAgainSoonWhenTheNetworkHasChanged) {
  PeerName name = name_with();
  name.asked(kStart);
  name.network_changed();
  EXPECT_FALSE(name.due(false, kStart + 1h)) << "it is not answered yet";
  name.answered(kNotFound);
  EXPECT_FALSE(name.due(false, kStart + 999ms));
  EXPECT_TRUE(name.due(false, kStart + 1s));
  name.asked(kStart + 1s);
  name.answered(kNotFound);
  EXPECT_FALSE(name.due(false, kStart + 10s)) << "once for each change";
  name.network_changed();
  EXPECT_TRUE(name.due(false, kStart + 10s));
  name.asked(kStart + 10s);
  name.answered(answer_of({"10.0.2.8:9090"}));
  name.network_changed();
  EXPECT_FALSE(name.due(false, kStart + 1h)) << "it is known";
}

TEST(PeerName, IsLookedUpAgainEveryThirtySecondsWhileThePeerIsSilent) {
  PeerName name = name_with();
  name.asked(kStart);
  name.answered(answer_of({"10.0.2.8:9090"}));
  EXPECT_FALSE(name.due(true, kStart + 29s));
  EXPECT_FALSE(name.due(false, kStart + 30s));
  EXPECT_TRUE(name.due(true, kStart + 30s));
  name.asked(kStart + 30s);
  EXPECT_TRUE(name.answered(answer_of({"10.0.2.9:9090"})));
  EXPECT_EQ(name.endpoint(), endpoint("10.0.2.9:9090"));
  EXPECT_FALSE(name.due(true, kStart + 59s));
  EXPECT_TRUE(name.due(true, kStart + 60s));
}

TEST(PeerName, KeepsAnAddressThatIsStillAmongTheAnswers) {
  PeerName name = name_with();
  name.answered(answer_of({"10.0.2.8:9090"}));
  EXPECT_FALSE(name.answered(answer_of({"10.0.2.9:9090", "10.0.2.8:9090"})));
  EXPECT_EQ(name.endpoint(), endpoint("10.0.2.8:9090"));
}

TEST(PeerName, KeepsItsAddressWhenALaterLookupFails) {
  PeerName name = name_with();
  name.answered(answer_of({"10.0.2.8:9090"}));
  EXPECT_FALSE(name.answered(kNotFound));
  EXPECT_EQ(name.state(), NameState::kResolved);
  EXPECT_EQ(name.endpoint(), endpoint("10.0.2.8:9090"));
}

TEST(PeerName, IsNotUsedWhenItIsPublic) {
  PeerName name = name_with();
  EXPECT_FALSE(name.answered(answer_of({"8.8.8.8:9090"})));
  EXPECT_EQ(name.state(), NameState::kPublicPlaintext);
  EXPECT_EQ(name.failure(), "8.8.8.8");
  EXPECT_FALSE(name.endpoint());
}

TEST(PeerName, PrefersAnyPrivateAddressToAPublicOne) {
  PeerName name = name_with();
  EXPECT_TRUE(name.answered(answer_of({"8.8.8.8:9090", "10.0.2.8:9090"})));
  EXPECT_EQ(name.endpoint(), endpoint("10.0.2.8:9090"));
}

TEST(PeerName, StopsUsingAnAddressThatBecamePublic) {
  PeerName name = name_with();
  name.answered(answer_of({"10.0.2.8:9090"}));
  EXPECT_TRUE(name.answered(answer_of({"8.8.8.8:9090"})));
  EXPECT_FALSE(name.endpoint());
  EXPECT_EQ(name.state(), NameState::kPublicPlaintext);
}

TEST(PeerName, MayBePublicWhenTheProfileSaysSo) {
  PeerName name = name_with({.allow_public = true});
  EXPECT_TRUE(name.answered(answer_of({"8.8.8.8:9090"})));
  EXPECT_EQ(name.endpoint(), endpoint("8.8.8.8:9090"));
}

TEST(PeerName, PassesOverIpv6WhereTheSocketHasNone) {
  PeerName name = name_with({.ipv6 = false});
  EXPECT_TRUE(name.answered(answer_of({"[fd00::8]:9090", "10.0.2.8:9090"})));
  EXPECT_EQ(name.endpoint(), endpoint("10.0.2.8:9090"));
  PeerName only_v6 = name_with({.ipv6 = false});
  EXPECT_FALSE(only_v6.answered(answer_of({"[fd00::8]:9090"})));
  EXPECT_EQ(only_v6.state(), NameState::kFailed);
  EXPECT_EQ(only_v6.failure(), "no usable address");
}

}  // namespace
}  // namespace vpntun::session
