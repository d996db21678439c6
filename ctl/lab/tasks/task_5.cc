// Task 5: both directions. A ping and a login from U to V, and the six places each packet passes.
// With --client or --server a learner's own program is one end.
#include <array>
#include <optional>

#include "ctl/lab/tasks/login_client.h"
#include "ctl/lab/tasks/tasks.h"
#include "packet/ip_view.h"

namespace vpntun::lab {
namespace {

constexpr std::uint32_t kMetricOfTheLab = 1000;

// Where a packet is seen on its way; the last in the order of the request.
struct Place {
  Host host;
  std::string interface;
  Way request_way;
  bool in_datagram;
  const char* meaning;
};

std::array<Place, 6> places(const std::string& u_tun, const std::string& server_tun) {
  return {Place{Host::kU, u_tun, Way::kOut, false, "U's kernel routes it into the TUN interface"},
          Place{Host::kU, "eth0", Way::kOut, true, "the client program sends it inside UDP"},
          Place{Host::kServer, "eth0", Way::kIn, true, "the datagram reaches the server program"},
          Place{Host::kServer, server_tun, Way::kIn, false,
                "which writes it into its own TUN interface"},
          Place{Host::kServer, "eth1", Way::kOut, false, "the server's kernel forwards it"},
          Place{Host::kV, "eth0", Way::kIn, false, "V has it"}};
}

Way reversed(Way way) {
  return way == Way::kIn ? Way::kOut : Way::kIn;
}

void show_steps(Stage& stage, const std::string& what, const std::array<Place, 6>& way,
                const Pattern& pattern, bool is_request, std::size_t from) {
  std::string lines;
  for (std::size_t i = 0; i < way.size(); ++i) {
    const Place& place = is_request ? way[i] : way[way.size() - 1 - i];
    Pattern wanted = pattern;
    wanted.in_tunnel = place.in_datagram;
    const Way direction = is_request ? place.request_way : reversed(place.request_way);
    const Seen* seen = nullptr;
    stage.wait_until(
        fmt::format("{} on {} of {}", what, place.interface, title_of(place.host)), [&] {
          seen = stage.captures().find(place.host, place.interface, direction, wanted, from);
          return seen != nullptr;
        });
    lines += fmt::format("{}. {}\n", i + 1, seen->text());
    if (is_request) lines += fmt::format("     {}\n", place.meaning);
  }
  stage.story().seen(what + " at all six places");
  stage.story().show(lines);
}

struct TunnelEnd {
  os::Link link;
  std::string address;  // without its prefix length
};

// nullopt: there is no interface, or it is down or has no address.
std::optional<TunnelEnd> find_end(Stage& stage, Host host) {
  const std::optional<os::Link> link = stage.tunnel_link(host);
  if (!link || !link->up) return std::nullopt;
  const std::vector<std::string> prefixes = stage.addresses(host, link->name);
  if (prefixes.empty()) return std::nullopt;
  return TunnelEnd{*link, prefixes.front().substr(0, prefixes.front().find('/'))};
}

// A learner's program makes its own interface, with its address, and brings it up.
TunnelEnd wait_for_end(Stage& stage, Host host, Running& program, const std::string& command) {
  std::optional<TunnelEnd> end;
  const auto is_ready = [&] {
    if (program.ended())
      throw Missing(fmt::format("{} ended with status {}:\n{}", command,
                                exit_code_of(program.child().wait()), program.text()));
    end = find_end(stage, host);
    return end.has_value();
  };
  stage.observe(fmt::format("{} made its TUN interface on {}, with an address, and brought it up",
                            command, title_of(host)),
                is_ready);
  for (const Host each : kHosts) stage.captures().open(each);
  return *end;
}

std::optional<Running> start_server(Stage& stage) {
  const std::string& command = stage.options().server;
  if (command.empty()) {
    ServerProfile profile;
    profile.allowed_ips = {
        "192.168.53.0/24"};  // whatever address the client's program chooses there
    stage.configure(profile);
    stage.start_tunnel(kServerTunnelName);
    return std::nullopt;
  }
  write_sysctl(Host::kServer, "ipv4/conf/all/forwarding", "1");
  stage.story().show("server$ sysctl net.ipv4.ip_forward=1\nserver$ " + command);
  return stage.start_shell(command, Host::kServer);
}

std::optional<Running> start_client(Stage& stage) {
  const std::string& command = stage.options().client;
  if (command.empty()) {
    stage.start_tunnel(kClientTunnel);
    return std::nullopt;
  }
  stage.story().show("u$ " + command);
  return stage.start_shell(command, Host::kU);
}

// A learner's program sets its route after its interface is up, or leaves it to the lab, whose
// metric gives way to the program's own route should that come later still.
void route_into(Stage& stage, const os::Link& tun) {
  const auto is_routed = [&] {
    const os::RouteAnswer answer = stage.route(Host::kU, kV);
    return answer.error_number == 0 && answer.index == tun.index;
  };
  if (stage.comes(is_routed, std::chrono::seconds(2))) return;
  stage.story().say(
      "The program set no route to 192.168.60.0/24 into its interface: the lab does.");
  stage.add_route(Host::kU, kIntranet, tun.name, kMetricOfTheLab);
}

void check_login(Stage& stage, const std::array<Place, 6>& way, const std::string& u_address) {
  const std::size_t before = stage.captures().mark();
  LoginClient login(stage, Host::kU, kV);
  login.log_in("student");
  login.type_line("hello from U");
  login.expect("hello from U\r\n");
  stage.story().show(login.received());
  stage.require("the login on V answers every line", true);
  show_steps(stage, "the first bytes typed", way,
             {Pattern::What::kTcpWithPayload, u_address, std::string(kV)}, true, before);
}

}  // namespace

void task_5(Stage& stage) {
  Story& story = stage.story();
  story.step("The server program on the VPN server");
  std::optional<Running> server = start_server(stage);
  const TunnelEnd server_end =
      server ? wait_for_end(stage, Host::kServer, *server, stage.options().server)
             : find_end(stage, Host::kServer).value();
  story.step("The client program on U");
  std::optional<Running> client = start_client(stage);
  const TunnelEnd u_end = client ? wait_for_end(stage, Host::kU, *client, stage.options().client)
                                 : find_end(stage, Host::kU).value();
  route_into(stage, u_end.link);
  story.show(stage.route_text(Host::kU, kV));

  story.step("ping V from U");
  if (server || client) {
    // Ours are ready when start returns; of another program one cannot know.
    Running first = stage.start_ping(Host::kU, kV);
    stage.wait_until("an answer from V",
                     [&] { return first.text().find("ttl=") != std::string::npos; });
  }
  const std::size_t before = stage.captures().mark();
  const Ping ping = stage.observe_answer("V answers U", Host::kU, kV, 3);
  stage.require("the answers have ttl 63: one router, the VPN server, is in between",
                ping.ttl == 63);

  story.step("The way of one request and its reply");
  const std::array<Place, 6> way = places(u_end.link.name, server_end.link.name);
  show_steps(stage, "the request", way, echo_request(u_end.address, kV), true, before);
  show_steps(stage, "the reply", way, echo_reply(kV, u_end.address), false, before);

  story.step("A login from U to V, port 23");
  check_login(stage, way, u_end.address);
  story.say(
      "Everything U and V say to each other is inside UDP datagrams between 10.0.2.7 and 10.0.2.8, "
      "readable to "
      "everybody in between: this tunnel hides nothing.");
}

}  // namespace vpntun::lab
