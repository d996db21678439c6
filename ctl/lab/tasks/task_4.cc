// Task 4: the server puts the packet into its own TUN interface and forwards it. The way back is
// not there yet.
#include "ctl/lab/tasks/one_way_server.h"
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {

void task_4(Stage& stage) {
  Story& story = stage.story();
  story.step(
      "A server that writes what it receives into its TUN interface, and reads nothing from it "
      "yet");
  const OneWayServer server(stage);
  story.say(
      "vpntund always carries both directions, so the lab plays this half-finished server itself: "
      "tun0 with "
      "192.168.53.98/24, UDP port 9090, one loop that receives and writes.");
  write_sysctl(Host::kServer, "ipv4/conf/all/forwarding", "1");
  story.show("server$ sysctl net.ipv4.ip_forward=1");
  story.show(stage.route_text(Host::kServer, kV, kUTunnel, "tun0"));

  story.step("The client on U, with the route to 192.168.60.0/24, and ping 192.168.60.101");
  stage.start_tunnel(kClientTunnel);
  const std::size_t before = stage.captures().mark();
  const Ping ping = stage.ping_in_vain(Host::kU, kV, 3);
  stage.wait_until("a datagram at the server", [&] { return !server.printed().empty(); });
  story.show("the server printed:\n" +
             server.printed().substr(0, server.printed().find('\n', 60) + 1));
  const Pattern request = echo_request(kUTunnel, kV);
  const Pattern reply = echo_reply(kV, kUTunnel);
  stage.observe_packet("the server's kernel gets it from tun0", Host::kServer, "tun0", Way::kIn,
                       request, before);
  stage.observe_packet("and forwards it to the intranet", Host::kServer, "eth1", Way::kOut, request,
                       before);
  stage.observe_packet("the request reaches V", Host::kV, "eth0", Way::kIn, request, before);

  story.step("V answers. Where does the reply go?");
  stage.observe_packet("V replies", Host::kV, "eth0", Way::kOut, reply, before);
  story.show(stage.route_text(Host::kServer, kUTunnel, kV, "eth1"));
  stage.observe_packet("the server's kernel sends the reply into tun0", Host::kServer, "tun0",
                       Way::kOut, reply, before);
  stage.linger(std::chrono::milliseconds(500));
  stage.require(
      "no datagram with it leaves the server",
      stage.captures().count(Host::kServer, "eth0", Way::kOut, in_tunnel(reply), before) == 0);
  stage.require(
      "the reply does not come back to U",
      ping.received == 0 && stage.captures().count(Host::kU, "tun0", Way::kIn, reply, before) == 0);
  story.say(
      "The routes are right, the reply lies in the queue of the server's tun0. It waits for a "
      "program that reads "
      "it and sends it to U: task 5.");
}

}  // namespace vpntun::lab
