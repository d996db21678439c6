#include "bus/items.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"

namespace vpntun::bus {

namespace {

// What libsystemd said; whether there was something, where that is the answer.
bool done(int result) {
  if (result < 0) throw_errno(-result, "read or write a list of dictionaries");
  return result > 0;
}

void open(sd_bus_message* message, char type, const char* contents) {
  done(::sd_bus_message_open_container(message, type, contents));
}
void close(sd_bus_message* message) {
  done(::sd_bus_message_close_container(message));
}

bool enter(sd_bus_message* message, char type, const char* contents) {
  return done(::sd_bus_message_enter_container(message, type, contents));
}
void leave(sd_bus_message* message) {
  done(::sd_bus_message_exit_container(message));
}

void append_text(sd_bus_message* to, const std::string& text) {
  done(::sd_bus_message_append_basic(to, 's', text.c_str()));
}

// One overload for each kind of Value: opens a variant, and closes it.
class Writer {
 public:
  explicit Writer(sd_bus_message* to) : to_(to) {}

  void operator()(std::monostate) const {}
  void operator()(const std::string& text) const { basic("s", text.c_str()); }
  void operator()(bool flag) const {
    const int value = flag ? 1 : 0;
    basic("b", &value);
  }
  void operator()(std::uint16_t number) const { basic("q", &number); }
  void operator()(std::uint32_t number) const { basic("u", &number); }
  void operator()(std::uint64_t number) const { basic("t", &number); }
  void operator()(const std::vector<std::string>& texts) const {
    open(to_, 'v', "as");
    open(to_, 'a', "s");
    for (const std::string& text : texts) append_text(to_, text);
    close(to_);
    close(to_);
  }
  void operator()(const Texts& texts) const {
    open(to_, 'v', "a{sv}");
    open(to_, 'a', "{sv}");
    for (const auto& [key, text] : texts) {
      open(to_, 'e', "sv");
      append_text(to_, key);
      basic("s", text.c_str());
      close(to_);
    }
    close(to_);
    close(to_);
  }

 private:
  void basic(const char* type, const void* value) const {
    open(to_, 'v', type);
    done(::sd_bus_message_append_basic(to_, *type, value));
    close(to_);
  }

  sd_bus_message* to_;
};

std::string read_text(sd_bus_message* from) {
  const char* text = nullptr;
  done(::sd_bus_message_read_basic(from, 's', &text));
  return text;
}

// The basic type must be the one that stands there.
template <typename Number>
Number read_number(sd_bus_message* from, char type) {
  Number number{};
  done(::sd_bus_message_read_basic(from, type, &number));
  return number;
}

// Calls take(key) at each value of an a{sv}; it must read the value, a variant.
template <typename Take>
void read_dictionary(sd_bus_message* from, Take take) {
  enter(from, 'a', "{sv}");
  while (enter(from, 'e', "sv")) {
    std::string key = read_text(from);
    take(std::move(key));
    leave(from);
  }
  leave(from);
}

std::vector<std::string> read_list(sd_bus_message* from) {
  std::vector<std::string> texts;
  enter(from, 'a', "s");
  const char* text = nullptr;
  while (done(::sd_bus_message_read_basic(from, 's', &text))) texts.emplace_back(text);
  leave(from);
  return texts;
}

std::string_view type_in_variant(sd_bus_message* from) {
  const char* contents = nullptr;
  done(::sd_bus_message_peek_type(from, nullptr, &contents));
  return contents;
}

Texts read_texts(sd_bus_message* from) {
  Texts texts;
  read_dictionary(from, [&](std::string key) {
    if (type_in_variant(from) != "s")
      return static_cast<void>(done(::sd_bus_message_skip(from, "v")));
    enter(from, 'v', "s");
    texts.emplace(std::move(key), read_text(from));
    leave(from);
  });
  return texts;
}

Value read_inside(sd_bus_message* from, std::string_view type) {
  if (type == "s") return read_text(from);
  if (type == "b") return read_number<int>(from, 'b') != 0;
  if (type == "q") return read_number<std::uint16_t>(from, 'q');
  if (type == "u") return read_number<std::uint32_t>(from, 'u');
  if (type == "t") return read_number<std::uint64_t>(from, 't');
  if (type == "as") return read_list(from);
  return read_texts(from);
}

Value read_variant(sd_bus_message* from) {
  const std::string type(type_in_variant(from));
  const auto known = {"s", "b", "q", "u", "t", "as", "a{sv}"};
  if (std::ranges::find(known, type) == known.end()) {
    done(::sd_bus_message_skip(from, "v"));
    return {};
  }
  enter(from, 'v', type.c_str());
  Value value = read_inside(from, type);
  leave(from);
  return value;
}

void write(sd_bus_message* to, const Item& item) {
  open(to, 'a', "{sv}");
  for (const auto& [key, value] : item) {
    if (std::holds_alternative<std::monostate>(value)) continue;
    open(to, 'e', "sv");
    append_text(to, key);
    std::visit(Writer(to), value);
    close(to);
  }
  close(to);
}

}  // namespace

sdbus::Message& operator<<(sdbus::Message& to, const ItemSource& items) {
  sd_bus_message* const message = dbus::inside(to);
  open(message, 'a', "a{sv}");
  for (std::size_t i = 0; i < items.size; ++i) write(message, items.at(i));
  close(message);
  return to;
}

void read_items(sdbus::Message& from, const std::function<void(Item)>& take) {
  sd_bus_message* const message = dbus::inside(from);
  enter(message, 'a', "a{sv}");
  while (!done(::sd_bus_message_at_end(message, 0))) {
    Item item;
    read_dictionary(message, [&](std::string key) {
      item.emplace_back(std::move(key), read_variant(message));
    });
    take(std::move(item));
  }
  leave(message);
}

sdbus::Message& operator>>(sdbus::Message& from, Items& items) {
  read_items(from, [&](Item item) { items.list.push_back(std::move(item)); });
  return from;
}

}  // namespace vpntun::bus
