// Task 2b: address and up make an interface that the kernel routes to.
#include <algorithm>

#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {

void task_2b(Stage& stage) {
  Story& story = stage.story();
  story.step("Before: where would a packet for 192.168.53.1 go?");
  story.show(stage.route_text(Host::kU, "192.168.53.1"));
  stage.require("U has no route to 192.168.53.1",
                stage.route(Host::kU, "192.168.53.1").error_number != 0);

  story.step("The interface with the address 192.168.53.99/24, and up");
  ClientProfile profile;
  profile.peer = false;
  stage.configure(profile);
  stage.start_tunnel(kClientTunnel);
  story.show(stage.run({"ip", "address", "show", "dev", "tun0"}, Host::kU).text);
  const std::vector<std::string> addresses = stage.addresses(Host::kU, "tun0");
  stage.require("tun0 has 192.168.53.99/24", std::find(addresses.begin(), addresses.end(),
                                                       "192.168.53.99/24") != addresses.end());
  const std::optional<os::Link> link = stage.link(Host::kU, "tun0");
  stage.require("tun0 is UP, LOWER_UP", link && link->up && link->lower_up);

  story.step("After: the kernel made a route of it");
  story.show(stage.run({"ip", "route"}, Host::kU).text);
  story.show(stage.route_text(Host::kU, "192.168.53.1"));
  const os::RouteAnswer answer = stage.route(Host::kU, "192.168.53.1");
  stage.require("192.168.53.0/24 is a connected route out of tun0",
                answer.error_number == 0 && answer.index == link->index && !answer.gateway);
  story.say(
      "An address with its prefix length says: this network is behind this interface. LOWER_UP "
      "means that a "
      "program has the interface open; without one there is nobody to take the packets.");
}

}  // namespace vpntun::lab
