// Masquerading by nftables, in a table of our own: `inet vpntun_<tunnel>`. Each call is one
// transaction in the network namespace of the calling thread. Callers: session/. Thread: control.
#pragma once

#include <string>

namespace vpntun::os {

// Name of the table of a tunnel. Errors: kInvalidArguments unless the name has only letters,
// digits, '_', '-', '.'.
std::string masquerade_table(const std::string& tunnel);

// What comes in on `interface` and leaves on another gets the address of the latter, IPv4 and IPv6.
// Replaces a table left over. Errors: kAccessDenied, kNotSupported (the kernel has no nftables
// NAT), kInvalidArguments, kFailed.
void install_masquerade(const std::string& tunnel, const std::string& interface);
// Returns whether there was one.
bool remove_masquerade(const std::string& tunnel);
bool masquerade_installed(const std::string& tunnel);

}  // namespace vpntun::os
