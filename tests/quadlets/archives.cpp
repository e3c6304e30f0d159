#include "tests/quadlets/archives.h"

#include <zlib.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace leger::test {
namespace {

constexpr std::size_t kBlock = 512;

// Of a ustar header (POSIX.1-1988): where a field starts and how long it is.
struct Field {
  std::size_t at;
  std::size_t length;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kTime{136, 12},
    kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8}, kPrefix{345, 155};

void put(std::string& header, Field field, std::string_view value) {
  if (value.size() > field.length) throw std::invalid_argument("too long for a tar header");
  header.replace(field.at, value.size(), value);
}

std::string octal(std::uint64_t number, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; number >>= 3) text[i] = static_cast<char>('0' + (number & 7));
  return text;
}

// Of the first block of an entry.
void put_checksum(std::string& entry) {
  put(entry, kChecksum, "        ");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(entry[i]);
  put(entry, kChecksum, octal(sum, 6) + std::string("\0 ", 2));
}

// Takes what `bytes` come to; `flush` as deflate() has it.
std::string deflated(z_stream& stream, std::string_view bytes, int flush) {
  std::string packed(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int outcome = deflate(&stream, flush);
  packed.resize(packed.size() - stream.avail_out);
  if (outcome != (flush == Z_FINISH ? Z_STREAM_END : Z_OK)) throw std::runtime_error("deflate failed");
  return packed;
}

}  // namespace

std::string tar(const TarItem& item) {
  std::string header(kBlock, '\0');
  std::string name = item.name;
  if (name.size() > kName.length) {
    const std::size_t slash = name.find('/', name.size() - kName.length - 1);
    put(header, kPrefix, name.substr(0, slash));
    name = name.substr(slash + 1);
  }
  put(header, kName, name);
  put(header, kMode, octal(item.mode, 7));
  put(header, kUid, octal(1000, 7));
  put(header, kGid, octal(1000, 7));
  put(header, kSize, item.size_field.value_or(octal(item.content.size(), 11)));
  put(header, kTime, octal(0, 11));
  put(header, kType, std::string(1, item.type));
  put(header, kLink, item.link);
  put(header, kMagic,
      std::string_view("ustar\0"
                       "00",
                       8));
  put_checksum(header);
  std::string padding((kBlock - item.content.size() % kBlock) % kBlock, '\0');
  return header + item.content + padding;
}

std::string tar_file(std::string name, std::string content) {
  return tar({.name = std::move(name), .content = std::move(content)});
}

std::string tar_folder(std::string name) { return tar({.name = std::move(name), .type = '5', .mode = 0755}); }

std::string pax_records(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string content;
  for (const auto& [key, value] : records) {
    const std::string rest = std::string(" ").append(key).append("=").append(value).append("\n");
    // The length counts its own digits.
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) ++length;
    content += std::to_string(length) + rest;
  }
  return content;
}

std::string tar_pax(const std::vector<std::pair<std::string, std::string>>& records, char type) {
  return tar({.name = "PaxHeaders/x", .content = pax_records(records), .type = type});
}

std::string tar_patched(std::string entry, const std::vector<std::pair<std::size_t, std::string>>& bytes) {
  for (const auto& [at, part] : bytes) entry.replace(at, part.size(), part);
  put_checksum(entry);
  return entry;
}

std::string tar_end() { return std::string(2 * kBlock, '\0'); }

std::string gzip(std::string_view bytes, Level level) {
  z_stream stream{};
  const int number = level == Level::stored ? 0 : level == Level::fast ? 1 : 9;
  if (deflateInit2(&stream, number, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string packed = deflated(stream, bytes, Z_FINISH);
  deflateEnd(&stream);
  return packed;
}

std::string gzip_of_many(std::string_view head, std::string_view block, std::size_t times) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string packed = deflated(stream, head, Z_FULL_FLUSH);
  // After a full flush nothing refers to what was before, so that the same packed bytes can stand there again.
  const std::string part = deflated(stream, block, Z_FULL_FLUSH);
  for (std::size_t i = 0; i < times; ++i) packed += part;
  packed += deflated(stream, {}, Z_FINISH);
  deflateEnd(&stream);
  return packed;
}

std::string manifest_for(const std::vector<std::string>& files) {
  std::string list;
  for (const std::string& file : files) list.append(list.empty() ? "\"" : ",\"").append(file).append("\"");
  return R"({"version":1,"deployment_name":"hello","created_at":"2026-11-22T04:05:06Z","files":[)" + list +
         R"(],"services":[{"name":"hello","type":"container","image":"localhost/hello:latest"}],)" +
         R"("secrets_required":["test_key"]})";
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string read_file(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace leger::test
