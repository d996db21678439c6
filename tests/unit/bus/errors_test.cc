#include "bus/errors.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "dbus/error_names.h"

namespace vpntun::bus {
namespace {

TEST(Errors, EveryKindHasItsOwnNameAndStatus) {
  std::set<std::string_view> names;
  std::set<int> statuses;
  for (const dbus::ErrorName& entry : dbus::kErrorNames) {
    EXPECT_EQ(to_dbus(Error(entry.kind, "x")).getName(), entry.name);
    EXPECT_EQ(dbus::kind_of_name(entry.name), entry.kind);
    EXPECT_EQ(dbus::kind_of_session_status(entry.session_status), entry.kind);
    names.insert(entry.name);
    statuses.insert(entry.session_status);
  }
  EXPECT_EQ(names.size(), dbus::kErrorNames.size());
  EXPECT_EQ(statuses.size(), dbus::kErrorNames.size());
  EXPECT_EQ(dbus::kind_of_session_status(1), ErrorKind::kLauncherFailed);
}

TEST(Errors, TextsAreFitForDBus) {
  const sdbus::Error error =
      to_dbus(Error(ErrorKind::kFailed, "bad \xff\x01 bytes " + std::string(100'000, 'x')));
  EXPECT_EQ(error.getMessage().find('\xff'), std::string::npos);
  EXPECT_EQ(error.getMessage().find('\x01'), std::string::npos);
  EXPECT_LT(error.getMessage().size(), 4000U);
}

TEST(Errors, WhateverAMethodThrowsBecomesAnErrorReply) {
  const auto name_of_thrown = [](auto&& body) -> std::string {
    try {
      guarded(body);
    } catch (const sdbus::Error& error) {
      return error.getName();
    }
    return "";
  };
  EXPECT_EQ(name_of_thrown([] { throw Error(ErrorKind::kNoSuchTunnel, "x"); }),
            "org.vpntun1.Error.NoSuchTunnel");
  EXPECT_EQ(name_of_thrown([] { throw std::out_of_range("x"); }), "org.vpntun1.Error.Failed");
  EXPECT_EQ(name_of_thrown([] { throw limits_exceeded("x"); }),
            "org.freedesktop.DBus.Error.LimitsExceeded");
}

TEST(Errors, ACallbackOfTheBusNeverThrows) {
  EXPECT_NO_THROW(shielded("test", [] { throw std::runtime_error("x"); })());
  EXPECT_NO_THROW(shielded("test", [] { throw 5; })());
}

}  // namespace
}  // namespace vpntun::bus
