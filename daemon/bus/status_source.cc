#include "bus/status_source.h"

namespace vpntun::bus {

const session::Status& StatusSource::now() {
  return loop_.now() == read_at_ ? status_ : again();
}

const session::Status& StatusSource::again() {
  status_ = session_.status();
  read_at_ = loop_.now();
  return status_;
}

}  // namespace vpntun::bus
