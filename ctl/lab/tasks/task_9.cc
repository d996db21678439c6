// Task 9: a TAP interface carries Ethernet frames, so ARP is seen, and a tunnel of two is a network
// cable.
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {
namespace {

ClientProfile tap_client() {
  ClientProfile profile;
  profile.kind = config::Kind::kTap;
  profile.interface = "tap%d";
  return profile;
}

}  // namespace

void task_9(Stage& stage) {
  Story& story = stage.story();
  story.step("tap0 with 192.168.53.99/24 on U, and ping 192.168.53.1");
  ClientProfile alone = tap_client();
  alone.peer = false;
  stage.configure(alone);
  stage.start_tunnel(kClientTunnel);
  Running capture = stage.start({program_path("vpnctl"), "capture", kClientTunnel});
  const Pattern who_has{Pattern::What::kArpRequest, std::string(kUTunnel), "192.168.53.1"};
  {
    Running pings = stage.start_ping(Host::kU, "192.168.53.1");
    stage.observe("the program reads an ARP request from tap0", [&] {
      return capture.text().find("ARP who-has 192.168.53.1 tell 192.168.53.99") !=
             std::string::npos;
    });
  }
  story.show("$ vpnctl capture lab\n" + capture.text());
  stage.observe_packet("the same on the interface", Host::kU, "tap0", Way::kOut, who_has);
  story.say(
      "A TUN interface carries IP packets and has no Ethernet addresses to ask for. On a TAP "
      "interface the ping "
      "has to wait until somebody says which Ethernet address has 192.168.53.1, and nobody does.");

  story.step("A TAP interface on both ends, and a tunnel between them");
  stage.stop_tunnel(kClientTunnel);
  stage.configure(tap_client());
  ServerProfile server;
  server.kind = config::Kind::kTap;
  server.forwarding = false;
  stage.configure(server);
  stage.start_tunnel(kServerTunnelName);
  stage.start_tunnel(kClientTunnel);
  const std::size_t before = stage.captures().mark();
  const Ping ping = stage.observe_answer("the server's tap0 answers", Host::kU, kServerTunnel, 3);
  stage.require("with ttl 64: no router in between, one Ethernet", ping.ttl == 64);
  stage.observe_packet(
      "the ARP request crosses the network inside UDP", Host::kServer, "eth0", Way::kIn,
      in_tunnel({Pattern::What::kArpRequest, std::string(kUTunnel), std::string(kServerTunnel)}),
      before);

  story.step("What U's kernel learned");
  const std::string neighbours =
      stage.run({"ip", "neighbour", "show", "dev", "tap0"}, Host::kU).text;
  story.show("u$ ip neighbour show dev tap0\n" + neighbours);
  const std::string mac = stage.link(Host::kServer, "tap0").value().mac.to_string();
  stage.require(fmt::format("192.168.53.98 has the Ethernet address of the server's tap0, {}", mac),
                neighbours.find(mac) != std::string::npos);
}

}  // namespace vpntun::lab
