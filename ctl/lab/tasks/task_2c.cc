// Task 2c: what the kernel routes into the TUN interface, the program reads.
#include "ctl/lab/tasks/tasks.h"
#include "packet/describe.h"

namespace vpntun::lab {

void task_2c(Stage& stage) {
  Story& story = stage.story();
  ClientProfile profile;
  profile.peer = false;  // nobody to send to yet: the program only reads
  stage.configure(profile);
  story.step("tun0 with 192.168.53.99/24, and a program that shows what it reads from it");
  stage.start_tunnel(kClientTunnel);
  Running capture = stage.start({program_path("vpnctl"), "capture", kClientTunnel});

  story.step("ping 192.168.53.1: a host that does not exist, on a network that does");
  Running pings = stage.start_ping(Host::kU, "192.168.53.1");
  const std::string line = "192.168.53.99 --> 192.168.53.1 ICMP echo request";
  stage.observe("the program reads the request from tun0",
                [&] { return capture.text().find(line) != std::string::npos; });
  pings.child().stop(std::chrono::seconds(1));
  story.show("$ vpnctl capture lab\n" + capture.text());
  const Seen packet = stage.observe_packet("the same packet on the interface", Host::kU, "tun0",
                                           Way::kOut, echo_request(kUTunnel, "192.168.53.1"));
  story.show(packet::hex_dump(packet.bytes));
  story.say(
      "20 bytes of IP header, 8 of ICMP header, then ping's own payload. Nobody answers: the "
      "program has no "
      "one to give the packet to, and 192.168.53.1 is nowhere.");

  story.step("ping 192.168.60.101: a host that does exist");
  const std::size_t before = stage.captures().mark();
  stage.require("no answer", stage.ping_in_vain(Host::kU, kV).received == 0);
  stage.captures().take();
  stage.require(
      "the program reads nothing of it",
      stage.captures().count(Host::kU, "tun0", Way::kOut, echo_request("", kV), before) == 0 &&
          capture.text().find(std::string(kV)) == std::string::npos);

  story.step("Why: the kernel's route lookups side by side");
  story.show(stage.route_text(Host::kU, "192.168.53.1") + stage.route_text(Host::kU, kV));
  stage.require(
      "192.168.53.1 is routed into tun0, 192.168.60.101 is not",
      stage.route(Host::kU, "192.168.53.1").index == stage.link(Host::kU, "tun0")->index &&
          stage.route(Host::kU, kV).error_number != 0);
  story.say("The TUN interface gets what the routing table sends there and nothing else.");
}

}  // namespace vpntun::lab
