#include "daemon/request_ids.h"

#include "backend/crypto/seal.h"

namespace leger {

RequestIds::RequestIds() : prefix_(random_uuid().substr(0, 9)) {}

}  // namespace leger
