#include "backend/store/audit_chain.h"

#include <sodium.h>

namespace leger {
namespace {

void add_number(std::string& text, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(number >> shift & 0xffU);
}

void add_text(std::string& text, std::string_view part) {
  add_number(text, part.size(), 4);
  text += part;
}

}  // namespace

std::string audit_hash(std::string_view hash_before, std::uint64_t id, const AuditRecord& record) {
  std::string text = "leger/audit/v1";
  text += hash_before;
  add_number(text, id, 8);
  for (const std::string* part : {&record.time, &record.actor, &record.source, &record.action, &record.object,
                                  &record.outcome, &record.request_id}) {
    add_text(text, *part);
  }
  text += record.version ? '\1' : '\0';
  add_number(text, record.version.value_or(0), 8);
  add_number(text, record.count, 8);
  std::string hash(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(hash.data()), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  return hash;
}

}  // namespace leger
