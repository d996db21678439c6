// The systemd unit of a tunnel. Pure.
#pragma once

#include <string>
#include <string_view>

namespace vpntun::bus {

// "vpntund@NAME.service", the name escaped as by systemd-escape(1).
std::string unit_name(std::string_view tunnel);

}  // namespace vpntun::bus
