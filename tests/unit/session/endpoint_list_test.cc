#include "session/endpoint_list.h"

#include <gtest/gtest.h>

namespace vpntun::session {
namespace {

constexpr NameRules kAnyAddress{.allow_public = true, .ipv6 = true};

config::EndpointSpec literal(const std::string& text) {
  const Endpoint endpoint = *Endpoint::parse(text);
  return {endpoint.address.to_string(), endpoint.port, endpoint.address};
}
config::EndpointSpec name(const std::string& host) {
  return {host, 51820, std::nullopt};
}
Endpoint at(const std::string& text) {
  return *Endpoint::parse(text);
}
NameAnswer answer(const std::string& text) {
  return {{at(text)}, ""};
}

TEST(EndpointList, OfAPeerThatIsLearnedHasNone) {
  EndpointList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.endpoint(), std::nullopt);
  EXPECT_EQ(list.name(), nullptr);
  EXPECT_FALSE(list.turn());
}

TEST(EndpointList, BeginsWithTheFirstAndGoesRound) {
  EndpointList list({literal("10.0.0.1:1"), literal("10.0.0.2:2")}, kAnyAddress);
  EXPECT_EQ(list.endpoint(), at("10.0.0.1:1"));
  EXPECT_TRUE(list.turn());
  EXPECT_EQ(list.endpoint(), at("10.0.0.2:2"));
  EXPECT_TRUE(list.turn());
  EXPECT_EQ(list.endpoint(), at("10.0.0.1:1"));
}

TEST(EndpointList, OfOneStaysThere) {
  EndpointList list({literal("10.0.0.1:1")}, kAnyAddress);
  EXPECT_FALSE(list.turn());
  EXPECT_EQ(list.endpoint(), at("10.0.0.1:1"));
}

TEST(EndpointList, PassesOverNamesWithoutAnAddress) {
  EndpointList list({literal("10.0.0.1:1"), name("dead.example"), literal("10.0.0.3:3")},
                    kAnyAddress);
  EXPECT_TRUE(list.turn());
  EXPECT_EQ(list.endpoint(), at("10.0.0.3:3"));
}

TEST(EndpointList, WaitsForTheFirstNameAndUsesAnotherEndpointOnlyWhenThatFails) {
  EndpointList list({name("first.example"), literal("10.0.0.2:2")}, kAnyAddress);
  EXPECT_EQ(list.endpoint(), std::nullopt);
  ASSERT_NE(list.name(), nullptr);
  EXPECT_FALSE(list.settle(std::nullopt)) << "the lookup is under way";
  list.candidates()[0].name->answered({{}, "no such name"});
  EXPECT_TRUE(list.settle(std::nullopt));
  EXPECT_EQ(list.endpoint(), at("10.0.0.2:2"));
}

TEST(EndpointList, TellsThatTheNameInUseLedElsewhere) {
  EndpointList list({name("first.example")}, kAnyAddress);
  list.candidates()[0].name->answered(answer("10.0.0.1:51820"));
  EXPECT_TRUE(list.settle(std::nullopt));
  EXPECT_FALSE(list.settle(at("10.0.0.1:51820")));
  list.candidates()[0].name->answered(answer("10.0.0.9:51820"));
  EXPECT_TRUE(list.settle(at("10.0.0.1:51820")));
  EXPECT_EQ(list.endpoint(), at("10.0.0.9:51820"));
}

}  // namespace
}  // namespace vpntun::session
