// vpnctl: the client of vpntund.
#include <exception>
#include <iostream>

#include "ctl/verbs.h"

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);  // what is flushed at once is written at once
  try {
    return vpntun::ctl::run(argc, argv, std::cout, std::cerr);
  } catch (const std::exception& error) {
    std::cerr << "vpnctl: " << error.what() << '\n';
    return 1;
  }
}
