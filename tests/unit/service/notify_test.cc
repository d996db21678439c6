#include "service/notify.h"

#include "service_manager.h"

namespace vpntun::service {
namespace {

TEST(Notify, TellsReadyStoppingAndStatus) {
  const ServiceManager manager;
  notify_ready();
  EXPECT_EQ(manager.next().text, "READY=1");
  notify_stopping();
  EXPECT_EQ(manager.next().text, "STOPPING=1");
  notify_status("address 192.168.53.99 is taken");
  EXPECT_EQ(manager.next().text, "STATUS=address 192.168.53.99 is taken");
}

TEST(Notify, AStatusCannotSmuggleAnotherAssignment) {
  const ServiceManager manager;
  notify_status("bad\nREADY=1\r\nend");
  EXPECT_EQ(manager.next().text, "STATUS=bad READY=1  end");
}

TEST(Notify, DoesNothingWithoutAServiceManager) {
  ::unsetenv("NOTIFY_SOCKET");
  notify_ready();
  notify_stopping();
  notify_status("nobody listens");
}

}  // namespace
}  // namespace vpntun::service
