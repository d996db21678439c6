// What systemd-resolved is told, and what its refusals mean.
#include "bus/resolved.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vpntun::bus {
namespace {

using testing::HasSubstr;
using testing::Not;

config::Dns dns(std::vector<std::string> servers, std::vector<config::DnsDomain> domains) {
  config::Dns made;
  for (const std::string& server : servers)
    made.servers.push_back(IpAddress::parse(server).value());
  made.domains = std::move(domains);
  return made;
}

TEST(LinkDns, HasTheBytesOfEachServerWithItsFamily) {
  const LinkDns link = link_dns_of(dns({"192.168.60.53", "fd60::53"}, {}));
  ASSERT_EQ(link.servers.size(), 2u);
  EXPECT_EQ(std::get<0>(link.servers[0]), 2);
  EXPECT_EQ(std::get<1>(link.servers[0]), (std::vector<std::uint8_t>{192, 168, 60, 53}));
  EXPECT_EQ(std::get<0>(link.servers[1]), 10);
  EXPECT_EQ(std::get<1>(link.servers[1]).size(), 16u);
  EXPECT_EQ(std::get<1>(link.servers[1])[15], 0x53);
}

TEST(LinkDns, SaysWhichDomainsAreForRoutingOnly) {
  const LinkDns link = link_dns_of(dns({"10.0.0.1"}, {{"corp.example", false}, {"lab", true}}));
  ASSERT_EQ(link.domains.size(), 2u);
  EXPECT_EQ(std::get<0>(link.domains[0]), "corp.example");
  EXPECT_FALSE(std::get<1>(link.domains[0]));
  EXPECT_EQ(std::get<0>(link.domains[1]), "lab");
  EXPECT_TRUE(std::get<1>(link.domains[1]));
}

TEST(LinkDns, TakesOtherNamesOnlyWithoutDomainsOrWithAll) {
  EXPECT_TRUE(link_dns_of(dns({"10.0.0.1"}, {})).default_route);
  EXPECT_TRUE(link_dns_of(dns({"10.0.0.1"}, {{".", true}})).default_route);
  EXPECT_FALSE(link_dns_of(dns({"10.0.0.1"}, {{"corp.example", false}})).default_route);
  EXPECT_FALSE(link_dns_of(dns({"10.0.0.1"}, {{"corp.example", true}})).default_route);
}

TEST(DnsFailure, SaysWhatDoesNotWorkAndWhatToDo) {
  const config::Dns wanted = dns({"192.168.60.53"}, {{"corp.example", false}, {"lab", true}});
  const std::string absent =
      dns_failure_of(wanted, "org.freedesktop.DBus.Error.ServiceUnknown", "no such name");
  EXPECT_EQ(absent,
            "systemd-resolved does not run, so names of corp.example, lab are not asked at "
            "192.168.60.53; start it (systemctl enable --now systemd-resolved) or remove "
            "[interface.dns]");
  EXPECT_EQ(dns_failure_of(wanted, "org.freedesktop.systemd1.NoSuchUnit", ""), absent);
  const std::string refused =
      dns_failure_of(wanted, "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
  EXPECT_THAT(refused, HasSubstr("refuses (Permission denied)"));
  EXPECT_THAT(refused, HasSubstr("polkit"));
  EXPECT_THAT(dns_failure_of(wanted, "org.freedesktop.resolve1.LinkBusy", "Link tun0 is managed."),
              HasSubstr("Unmanaged=yes"));
  EXPECT_THAT(dns_failure_of(wanted, "org.freedesktop.DBus.Error.NoReply", "timeout"),
              HasSubstr("tried again"));
}

TEST(DnsFailure, ShowsNoControlCharacters) {
  EXPECT_THAT(dns_failure_of(dns({"10.0.0.1"}, {}), "x.y", "a\nb"), Not(HasSubstr("\n")));
}

TEST(DnsFailure, SpeaksOfAllNamesWhenAllAreMeant) {
  const std::string text = dns_failure_of(dns({"10.0.0.1"}, {{".", true}}), "x.y", "z");
  EXPECT_THAT(text, HasSubstr("so names are not asked at 10.0.0.1"));
}

}  // namespace
}  // namespace vpntun::bus
