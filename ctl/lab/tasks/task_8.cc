// Task 8: U's TUN interface has an address of the wrong network. The ping fails; two different
// things can be the cause, and the kernel says which.
#include <cerrno>

#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {
namespace {

constexpr std::string_view kWrong = "192.168.30.99";
constexpr std::string_view kWrongNetwork = "192.168.30.0/24";

void set_rp_filter(Stage& stage, unsigned mode) {
  stage.on(Host::kServer, [&](os::NetlinkSocket& netlink) {
    os::set_rp_filter_v4(netlink, os::get_link(netlink, "tun0").index, mode);
  });
  stage.story().show(fmt::format("server$ sysctl net.ipv4.conf.tun0.rp_filter={}", mode));
}

std::uint64_t filtered(Stage& stage) {
  return stage.counter(Host::kServer, "TcpExt.IPReversePathFilter");
}

std::string line_with(const std::string& text, std::string_view word) {
  const std::size_t at = text.find(word);
  return at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at);
}

void daemon_drops_it(Stage& stage) {
  Story& story = stage.story();
  stage.start_tunnel(kServerTunnelName);
  ClientProfile wrong;
  wrong.addresses = {"192.168.30.99/24"};
  stage.configure(wrong);
  stage.start_tunnel(kClientTunnel);
  stage.require("the ping fails", stage.ping_in_vain(Host::kU, kV).received == 0);
  // No peer may send from there, so nobody is known to be at that endpoint either.
  stage.observe("vpntund on the server counted drops: unknown-sender", [&] {
    const Output status = stage.vpnctl({"status", kServerTunnelName, "--json"});
    return status.text.find("unknown-sender") != std::string::npos;
  });
  story.show("$ vpnctl status lab-server\n" +
             line_with(stage.vpnctl({"status", kServerTunnelName}).text, "Dropped"));
  story.say(
      "vpntund lets a peer send only from its allowed-ips, and says so. The program of the lab has "
      "no such check: "
      "from here on the server allows 192.168.30.0/24 too, without making a route of it, so that "
      "the kernel "
      "is asked.");
  stage.stop_tunnel(kServerTunnelName);
  ServerProfile server;
  server.allowed_ips = {"192.168.53.99/32", std::string(kWrongNetwork)};
  server.routes = std::vector<std::string>{};
  stage.configure(server);
  stage.start_tunnel(kServerTunnelName);
}

void strict_filter_drops_it(Stage& stage) {
  Story& story = stage.story();
  set_rp_filter(stage, 1);
  const std::uint64_t before = filtered(stage);
  const std::size_t mark = stage.captures().mark();
  stage.require("the ping fails", stage.ping_in_vain(Host::kU, kV).received == 0);
  stage.observe_packet("the request comes out of the server's tun0", Host::kServer, "tun0",
                       Way::kIn, echo_request(kWrong, kV), mark);
  stage.captures().take();
  stage.require("it does not leave for the intranet",
                stage.captures().count(Host::kServer, "eth1", Way::kOut, echo_request(kWrong, kV),
                                       mark) == 0);
  // It is captured first and counted after.
  stage.wait_until("proof 1: the server's counter IPReversePathFilter grew",
                   [&] { return filtered(stage) > before; });
  story.seen(fmt::format("proof 1: the server's counter IPReversePathFilter grew by {}",
                         filtered(stage) - before));
  story.show(stage.route_text(Host::kServer, kV, kWrong, "tun0"));
  const int verdict = stage.route(Host::kServer, kV, kWrong, "tun0").error_number;
  stage.require("proof 2: asked for the route of such a packet, the kernel refuses its source",
                verdict == EXDEV || verdict == EINVAL);
  story.say(
      "Strict reverse-path filtering (RFC 3704): a packet from 192.168.30.99 may come in only "
      "where one to "
      "192.168.30.99 would go out. The server has no such route, so it drops the request.");
}

void reply_is_lost(Stage& stage) {
  Story& story = stage.story();
  set_rp_filter(stage, 0);
  story.show(stage.route_text(Host::kServer, kV, kWrong, "tun0"));
  stage.require("the same question has an answer now: only the filter stood in the way",
                stage.route(Host::kServer, kV, kWrong, "tun0").error_number == 0);
  const std::uint64_t before = filtered(stage);
  const std::size_t mark = stage.captures().mark();
  stage.require("the ping still fails", stage.ping_in_vain(Host::kU, kV).received == 0);
  stage.observe_packet("but now the request reaches V", Host::kV, "eth0", Way::kIn,
                       echo_request(kWrong, kV), mark);
  stage.require("and the reverse-path filter dropped nothing", filtered(stage) == before);
  story.show(stage.route_text(Host::kV, kWrong));
  story.say(
      "V knows the way back to 192.168.53.0/24 only, so it does not even reply. Most hosts have a "
      "default route "
      "to their router; give V one:");
  stage.add_route(Host::kV, "0.0.0.0/0", kServerIntranet);

  const std::size_t again = stage.captures().mark();
  stage.require("the ping fails all the same", stage.ping_in_vain(Host::kU, kV).received == 0);
  stage.observe_packet("V's reply reaches the server", Host::kServer, "eth1", Way::kIn,
                       echo_reply(kV, kWrong), again);
  story.show(stage.route_text(Host::kServer, kWrong, kV, "eth1"));
  stage.require("the server has no route for it into the tunnel",
                stage.route(Host::kServer, kWrong, kV, "eth1").error_number != 0);
  stage.captures().take();
  stage.require(
      "the reply never enters the server's tun0",
      stage.captures().count(Host::kServer, "tun0", Way::kOut, echo_reply(kV, kWrong), again) == 0);
  // A host sends only so many errors.
  Running pings = stage.start_ping(Host::kU, kV);
  stage.observe_packet("the server tells V that it cannot deliver it", Host::kV, "eth0", Way::kIn,
                       {Pattern::What::kUnreachable, std::string(kServerIntranet), std::string(kV)},
                       again);
}

}  // namespace

void task_8(Stage& stage) {
  Story& story = stage.story();
  story.step("U's TUN interface gets 192.168.30.99/24 instead of 192.168.53.99/24");
  daemon_drops_it(stage);

  story.step("Cause 1: a strict reverse-path filter on the server drops the request");
  strict_filter_drops_it(stage);

  story.step("Cause 2: without the filter the request passes, and the reply is lost");
  reply_is_lost(stage);

  story.step("First cure: the server learns that 192.168.30.0/24 is in the tunnel");
  stage.add_route(Host::kServer, kWrongNetwork, "tun0");
  story.show(stage.route_text(Host::kServer, kWrong, kV, "eth1"));
  stage.observe_answer("the ping works", Host::kU, kV);
  set_rp_filter(stage, 1);
  stage.observe_answer("and with the strict filter too: the reverse path is now tun0", Host::kU,
                       kV);
  stage.remove_route(Host::kServer, kWrongNetwork);
  stage.remove_route(Host::kV, "0.0.0.0/0");

  story.step("Second cure: the right address on U, everything else as it was");
  stage.stop_tunnel(kClientTunnel);
  stage.configure(ClientProfile{});
  stage.start_tunnel(kClientTunnel);
  stage.observe_answer("the ping works, with the strict filter on", Host::kU, kV);
  story.say(
      "Where the address fits the network of the server's tun0, the connected route is the way "
      "back, and no "
      "host needs to be told anything.");
}

}  // namespace vpntun::lab
