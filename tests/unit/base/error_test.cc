#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace vpntun {
namespace {

TEST(Error, SaysWhatWasAttemptedOnWhat) {
  const Error error(ErrorKind::kInterfaceExists, "create interface {}: the name is taken", "tun0");
  EXPECT_STREQ(error.what(), "create interface tun0: the name is taken");
  EXPECT_EQ(error.kind(), ErrorKind::kInterfaceExists);
}

TEST(Error, TextFromOutsideIsNoFormat) {
  const Error error(ErrorKind::kFailed, std::string("bad name {}"));
  EXPECT_STREQ(error.what(), "bad name {}");
}

TEST(Error, ErrnoDecidesTheKind) {
  EXPECT_EQ(kind_of_errno(EADDRINUSE), ErrorKind::kAddressInUse);
  EXPECT_EQ(kind_of_errno(EPERM), ErrorKind::kAccessDenied);
  EXPECT_EQ(kind_of_errno(EACCES), ErrorKind::kAccessDenied);
  EXPECT_EQ(kind_of_errno(EOPNOTSUPP), ErrorKind::kNotSupported);
  EXPECT_EQ(kind_of_errno(ETIMEDOUT), ErrorKind::kTimeout);
  EXPECT_EQ(kind_of_errno(EIO), ErrorKind::kFailed);
}

TEST(Error, ThrowErrnoKeepsBoth) {
  try {
    throw_errno(EADDRINUSE, "bind UDP port 9090");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "bind UDP port 9090: Address already in use");
    EXPECT_EQ(error.kind(), ErrorKind::kAddressInUse);
    return;
  }
  FAIL() << "nothing was thrown";
}

}  // namespace
}  // namespace vpntun
