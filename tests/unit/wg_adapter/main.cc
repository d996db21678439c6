// wg_adapter: one request per line on standard input, one answer per line on standard output
// (README.md). For tests; never installed.
#include <iostream>

#include "wg_adapter/answers.h"

int main() {
  vpntun::adapter::Answers answers;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << answers.answer(line) << std::endl;  // at once: somebody may wait for it
}
