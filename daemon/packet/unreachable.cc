#include "packet/unreachable.h"

namespace vpntun::packet {
namespace {

constexpr std::uint8_t kUnreachable4 = 3;
constexpr std::uint8_t kUnreachable6 = 1;

// RFC 792, and RFC 1812, section 5.2.7.1.
std::optional<Obstacle> obstacle_of_code4(std::uint8_t code) noexcept {
  switch (code) {
    case 0:   // network unreachable
    case 6:   // network unknown
    case 11:  // network unreachable for the type of service
      return Obstacle::kNetwork;
    case 1:   // host unreachable
    case 7:   // host unknown
    case 8:   // source host isolated
    case 12:  // host unreachable for the type of service
      return Obstacle::kHost;
    case 2:  // protocol unreachable
    case 3:  // port unreachable
      return Obstacle::kPort;
    case 9:   // network administratively prohibited
    case 10:  // host administratively prohibited
    case 13:  // communication administratively prohibited
    case 14:  // host precedence violation
    case 15:  // precedence cutoff in effect
      return Obstacle::kProhibited;
    default:
      return std::nullopt;
  }
}

// RFC 4443, section 3.1.
std::optional<Obstacle> obstacle_of_code6(std::uint8_t code) noexcept {
  switch (code) {
    case 0:  // no route
    case 2:  // beyond the scope of the source address
      return Obstacle::kNetwork;
    case 1:  // administratively prohibited
    case 5:  // source address failed policy
    case 6:  // reject route
      return Obstacle::kProhibited;
    case 3:  // address unreachable
      return Obstacle::kHost;
    case 4:  // port unreachable
      return Obstacle::kPort;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view to_string(Obstacle obstacle) noexcept {
  switch (obstacle) {
    case Obstacle::kPort:
      return "port";
    case Obstacle::kHost:
      return "host";
    case Obstacle::kNetwork:
      return "network";
    case Obstacle::kProhibited:
      break;
  }
  return "prohibited";
}

std::optional<Obstacle> obstacle_of(Family family, std::uint8_t type, std::uint8_t code) noexcept {
  const bool v4 = family == Family::kIpv4;
  if (type != (v4 ? kUnreachable4 : kUnreachable6)) return std::nullopt;
  return v4 ? obstacle_of_code4(code) : obstacle_of_code6(code);
}

}  // namespace vpntun::packet
