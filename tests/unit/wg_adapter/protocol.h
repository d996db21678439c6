// The requests that need no memory of earlier ones: request in, answer's words out.
#pragma once

#include <map>
#include <string>

#include "wg_adapter/request.h"

namespace vpntun::adapter {

using Stateless = std::string (*)(Request&);
const std::map<std::string, Stateless>& stateless_verbs();

// As a word: "-" for none.
std::string word_of(crypto::Bytes bytes);

}  // namespace vpntun::adapter
