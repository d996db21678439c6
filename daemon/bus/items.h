// Lists of dictionaries, aa{sv}, as plain values. A sdbus::Variant is a message of its own and
// takes more than a kilobyte; thousands of peers with twenty values each are not made of those.
// Used by status_codec. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dbus/sdbus.h"

namespace vpntun::bus {

using Texts = std::map<std::string, std::string>;
// monostate: of a type that is not ours to know; it is not passed on.
using Value = std::variant<std::monostate, std::string, bool, std::uint16_t, std::uint32_t,
                           std::uint64_t, std::vector<std::string>, Texts>;
using Item = std::vector<std::pair<std::string, Value>>;

// To be written: each is made when it is its turn.
struct ItemSource {
  std::size_t size = 0;
  std::function<Item(std::size_t)> at;
};
// Throws Error when the message cannot take it.
sdbus::Message& operator<<(sdbus::Message& to, const ItemSource& items);

// Reads one after the other. Throws Error when it is not an aa{sv}.
void read_items(sdbus::Message& from, const std::function<void(Item)>& take);
struct Items {
  std::vector<Item> list;
};
sdbus::Message& operator>>(sdbus::Message& from, Items& items);

}  // namespace vpntun::bus

namespace sdbus {
template <>
struct signature_of<vpntun::bus::Items>
    : signature_of<std::vector<std::map<std::string, Variant>>> {};
template <>
struct signature_of<vpntun::bus::ItemSource> : signature_of<vpntun::bus::Items> {};
}  // namespace sdbus
