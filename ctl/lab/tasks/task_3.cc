// Task 3: the client puts each IP packet into a UDP datagram; the server sees both.
#include "ctl/lab/tasks/tasks.h"
#include "packet/ip_view.h"

namespace vpntun::lab {
namespace {

// "10.0.2.7:41872 -> 10.0.2.8:9090, inside 192.168.53.99 -> 192.168.53.1": the server's line of the
// original lab.
std::string server_line(const Seen& seen) {
  const auto outer = packet::IpView::parse(seen.ip());
  const auto udp = outer ? packet::UdpView::parse(outer->payload()) : std::nullopt;
  const auto inner = packet::IpView::parse(tunnel_payload(seen.ip()));
  if (!udp || !inner) return "no tunnel datagram\n";
  return fmt::format("{}:{} -> {}:{}, inside {} -> {}\n", outer->source().to_string(),
                     udp->source_port(), outer->destination().to_string(), udp->destination_port(),
                     inner->source().to_string(), inner->destination().to_string());
}

void show_lengths(Stage& stage, const Seen& seen) {
  const std::size_t inner = tunnel_payload(seen.ip()).size();
  stage.story().say(fmt::format("Outer IP header 20 + UDP header 8 + inner packet {} = {} bytes.",
                                inner, 28 + inner));
}

}  // namespace

void task_3(Stage& stage) {
  Story& story = stage.story();
  ClientProfile profile;
  profile.allowed_ips = {"192.168.53.0/24"};
  stage.configure(profile);
  ServerProfile server;
  server.forwarding = false;
  stage.configure(server);

  story.step("The server listens on UDP port 9090; the client sends there what it reads from tun0");
  stage.start_tunnel(kServerTunnelName);
  stage.start_tunnel(kClientTunnel);

  story.step("ping 192.168.53.1 on U");
  Running to_nobody = stage.start_ping(Host::kU, "192.168.53.1");
  const Seen first =
      stage.observe_packet("the datagram reaches the server", Host::kServer, "eth0", Way::kIn,
                           in_tunnel(echo_request(kUTunnel, "192.168.53.1")));
  story.show(server_line(first));
  show_lengths(stage, first);
  to_nobody.child().stop(std::chrono::seconds(1));

  story.step("ping 192.168.60.101 on U: not yet");
  const Pattern for_v = in_tunnel(echo_request(kUTunnel, kV));
  const std::size_t before = stage.captures().mark();
  stage.require("no answer", stage.ping_in_vain(Host::kU, kV).received == 0);
  story.show(stage.route_text(Host::kU, kV));
  stage.captures().take();
  stage.require("no datagram for it reaches the server",
                stage.captures().count(Host::kServer, "eth0", Way::kIn, for_v, before) == 0);

  story.step("The same with a route to 192.168.60.0/24 into the tunnel");
  stage.stop_tunnel(kClientTunnel);
  stage.configure(ClientProfile{});
  story.say(
      "The profile now lists 192.168.60.0/24 among the peer's allowed-ips; vpntund makes a route "
      "of each.");
  stage.start_tunnel(kClientTunnel);
  story.show(stage.route_text(Host::kU, kV));
  Running to_v = stage.start_ping(Host::kU, kV);
  const Seen second = stage.observe_packet("the datagram for V reaches the server", Host::kServer,
                                           "eth0", Way::kIn, for_v, before);
  story.show(server_line(second));
  story.say(
      "The outer addresses are the same in both: they say where the tunnel ends, the inner ones "
      "where the "
      "packet wants to go. This server has the packet now, but does not hand it on: task 4.");
}

}  // namespace vpntun::lab
