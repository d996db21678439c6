// Task 1: U and V each see the VPN server, but not each other.
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {

void task_1(Stage& stage) {
  Story& story = stage.story();
  story.show(picture());

  story.step("U and the VPN server are neighbours on the internet");
  stage.observe_answer("U reaches the server", Host::kU, kServerOutside);

  story.step("The VPN server and V are neighbours on the intranet");
  stage.observe_answer("the server reaches V", Host::kServer, kV);

  story.step("U and V have no network in common");
  const std::size_t before = stage.captures().mark();
  const Ping ping = stage.ping_in_vain(Host::kU, kV);
  stage.require("U does not reach V", ping.received == 0);
  story.show(stage.route_text(Host::kU, kV));
  const os::RouteAnswer answer = stage.route(Host::kU, kV);
  stage.require("U has no route to V", answer.error_number != 0);
  stage.captures().take();
  stage.require(
      "no packet for V left U",
      stage.captures().count(Host::kU, "eth0", Way::kOut, echo_request("", kV), before) == 0);
  story.say(
      "U's kernel knows the network 10.0.2.0/24 on eth0 and nothing else: a packet for "
      "192.168.60.101 has "
      "nowhere to go and is refused before it is built. A tunnel will give it somewhere to go.");
}

}  // namespace vpntun::lab
