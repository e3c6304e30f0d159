#include "backend/store/audit_record.h"

#include <bit>
#include <concepts>

namespace leger {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kNumberBytes = 8;

template <std::unsigned_integral Number>
void append_big_endian(std::string& to, Number number) {
  static_assert(std::endian::native == std::endian::little);
  const auto bytes = std::bit_cast<std::array<char, sizeof(Number)>>(std::byteswap(number));
  to.append(bytes.data(), bytes.size());
}

}  // namespace

void append_u32(std::string& to, std::uint32_t number) { append_big_endian(to, number); }
void append_u64(std::string& to, std::uint64_t number) { append_big_endian(to, number); }

std::uint64_t number_of(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8U | static_cast<unsigned char>(byte);
  return number;
}

void append_bytes(std::string& to, const AuditRecord& record) {
  for (const std::string* text : {&record.time, &record.actor, &record.source, &record.action, &record.object,
                                  &record.outcome, &record.request_id}) {
    append_u32(to, static_cast<std::uint32_t>(text->size()));
    to += *text;
  }
  to += record.version ? '\1' : '\0';
  append_u64(to, record.version.value_or(0));
  append_u64(to, record.count);
}

std::optional<AuditFields> audit_fields_of(std::string_view bytes) {
  AuditFields fields;
  for (std::string_view& text : fields.texts) {
    if (bytes.size() < kLengthBytes) return std::nullopt;
    const std::uint64_t length = number_of(bytes.substr(0, kLengthBytes));
    bytes.remove_prefix(kLengthBytes);
    if (bytes.size() < length) return std::nullopt;
    text = bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  if (bytes.size() != 1 + 2 * kNumberBytes || (bytes.front() != '\0' && bytes.front() != '\1')) return std::nullopt;
  if (bytes.front() == '\1') fields.version = number_of(bytes.substr(1, kNumberBytes));
  fields.count = number_of(bytes.substr(1 + kNumberBytes));
  return fields;
}

}  // namespace leger
