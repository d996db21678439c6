#include "session/endpoint_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <random>

#include "base/error.h"
#include "values.h"

namespace vpntun::session {
namespace {

LearnedEndpoint at(const std::string& peer, const std::string& endpoint) {
  return {peer, *Endpoint::parse(endpoint)};
}
const std::vector<LearnedEndpoint> kLearned{at("u", "10.0.2.7:4000"),
                                            at("far away", "[fd00::7]:51820")};

TEST(EndpointMemory, IsALineForEachPeer) {
  const std::string text = encode(kLearned);
  EXPECT_EQ(text, "10.0.2.7:4000 u\n[fd00::7]:51820 far away\n");
  EXPECT_EQ(decode(text), kLearned);
  EXPECT_EQ(decode(""), std::vector<LearnedEndpoint>{});
}

TEST(EndpointMemory, ANameThatIsNoneOfALineIsLeftOut) {
  EXPECT_EQ(decode(encode({at("a\nb", "10.0.2.7:1"), at("c", "10.0.2.7:2")})),
            (std::vector{at("c", "10.0.2.7:2")}));
}

TEST(EndpointMemory, WhatIsNoLineIsPassedOver) {
  for (const char* line :
       {"", " ", "10.0.2.7:4000", "10.0.2.7:4000 ", "u 10.0.2.7:4000", "10.0.2.7 u", "10.0.2.7:0 u",
        "0.0.0.0:4000 u", "[::]:4000 u", "10.0.2.7:65536 u", "10.0.2.7:-1 u", " 10.0.2.7:4000 u",
        "10.0.2.777:4000 u", "\x80\xff"}) {
    const std::string text = std::string(line) + "\n" + encode(kLearned);
    EXPECT_EQ(decode(text), kLearned) << line;
  }
  EXPECT_EQ(decode("10.0.2.7:4000 u\n10.0.2.9:1 u\n"), (std::vector{at("u", "10.0.2.7:4000")}));
  EXPECT_EQ(decode("10.0.2.7:4000 u\n10.0.2.9:1 cut o"), (std::vector{at("u", "10.0.2.7:4000")}));
}

TEST(EndpointMemory, AnythingCanBeDecoded) {
  std::mt19937 random(4711);  // the seed is the test
  const std::string alphabet = std::string("0123456789.:[] \n\0abcfu\xff", 24);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 60, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    const std::vector<LearnedEndpoint> learned = decode(text);
    EXPECT_EQ(decode(encode(learned)), learned);
  }
}

TEST(EndpointMemory, TheNextOneHasWhatWasWrittenLast) {
  EndpointMemory memory = EndpointMemory::create();
  memory.write(kLearned);
  memory.write({kLearned[0]});
  UniqueFd left(::fcntl(memory.fd(), F_DUPFD_CLOEXEC, 0));
  EndpointMemory next = EndpointMemory::adopt(left);
  EXPECT_FALSE(left);
  EXPECT_EQ(next.adopted(), (std::vector{kLearned[0]}));

  next.write(kLearned);
  UniqueFd again(::fcntl(next.fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_EQ(EndpointMemory::adopt(again).adopted(), kLearned);
}

TEST(EndpointMemory, OtherDescriptorsAreRefused) {
  UniqueFd sealed(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  UniqueFd device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd pipe(ends[0]);
  const UniqueFd writer(ends[1]);
  for (UniqueFd* fd : {&sealed, &device, &pipe}) {
    EXPECT_THROW(EndpointMemory::adopt(*fd), Error);
    EXPECT_TRUE(*fd) << "it stays the caller's";
  }
}

TEST(EndpointMemory, OnlyLearningPeersGetTheirsBack) {
  std::vector<dataplane::PeerConfig> peers(3);
  peers[0].name = "u";
  peers[1].name = "server";
  peers[1].learns = false;
  peers[1].endpoint = Endpoint::parse("10.0.2.8:9090");
  peers[2].name = "v";
  recall({at("gone", "10.0.2.1:1"), at("u", "10.0.2.7:4000"), at("server", "10.6.6.6:6"),
          at("v", "10.0.2.8:9090")},
         false, peers);
  EXPECT_EQ(peers[0].endpoint, Endpoint::parse("10.0.2.7:4000"));
  EXPECT_EQ(peers[1].endpoint, Endpoint::parse("10.0.2.8:9090"));
  EXPECT_EQ(peers[2].endpoint, std::nullopt) << "that one is the server's";
}

TEST(EndpointMemory, APublicEndpointIsTakenOnlyWhereTheProfileAllowsIt) {
  std::vector<dataplane::PeerConfig> peers(1);
  peers[0].name = "u";
  recall({at("u", "8.8.8.8:53")}, false, peers);
  EXPECT_EQ(peers[0].endpoint, std::nullopt);
  recall({at("u", "8.8.8.8:53")}, true, peers);
  EXPECT_EQ(peers[0].endpoint, Endpoint::parse("8.8.8.8:53"));
}

}  // namespace
}  // namespace vpntun::session
