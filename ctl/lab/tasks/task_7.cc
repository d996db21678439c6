// Task 7: a reply needs a route too.
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {

void task_7(Stage& stage) {
  Story& story = stage.story();
  story.step(
      "The tunnel is up on both sides, but V has no route back: neither a specific one nor a "
      "default");
  stage.start_tunnel(kServerTunnelName);
  stage.start_tunnel(kClientTunnel);
  stage.remove_route(Host::kV, kTunnelNetwork);
  story.show(stage.run({"ip", "route"}, Host::kV).text);

  story.step("ping 192.168.60.101 on U");
  const std::size_t before = stage.captures().mark();
  const Ping failed = stage.ping_in_vain(Host::kU, kV);
  const Pattern request = echo_request(kUTunnel, kV);
  stage.observe_packet("the request reaches V", Host::kV, "eth0", Way::kIn, request, before);
  story.show(stage.route_text(Host::kV, kUTunnel));
  stage.require("V has no route to 192.168.53.99",
                stage.route(Host::kV, kUTunnel).error_number != 0);
  stage.captures().take();
  stage.require(
      "so V sends no reply",
      stage.captures().count(Host::kV, "eth0", Way::kOut, echo_reply(kV, kUTunnel), before) == 0);
  stage.require("the ping fails", failed.received == 0);

  story.step("V learns where the tunnel's network is");
  stage.add_route(Host::kV, kTunnelNetwork, kServerIntranet);
  story.show(stage.route_text(Host::kV, kUTunnel));
  const std::size_t after = stage.captures().mark();
  stage.observe_answer("the ping works", Host::kU, kV);
  stage.observe_packet("V's reply leaves for the server", Host::kV, "eth0", Way::kOut,
                       echo_reply(kV, kUTunnel), after);
  story.say(
      "A tunnel that carries packets one way is only half of it: every host on the way must know "
      "where the "
      "tunnel's addresses are, here that 192.168.53.0/24 is behind 192.168.60.1.");
}

}  // namespace vpntun::lab
