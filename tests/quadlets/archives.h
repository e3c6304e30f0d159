#pragma once

// Archives as no honest program would write them: tar entries field by field, and gzip around any bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leger::test {

struct TarItem {
  std::string name;
  std::string content;
  char type =
      '0';  // '0' file, '1' hard link, '2' symbolic link, '3' device, '5' folder, '6' fifo, 'x' pax, 'L' long name
  unsigned mode = 0644;
  std::string link;
  std::optional<std::string> size_field;  // 12 bytes as they are to stand in the header; else the content's size
};

// The header block and the content in blocks of 512 bytes.
std::string tar(const TarItem& item);
std::string tar_file(std::string name, std::string content);
std::string tar_folder(std::string name);
// A pax header with these records, for the entry that follows it, or with the type 'g' for all that follow.
std::string tar_pax(const std::vector<std::pair<std::string, std::string>>& records, char type = 'x');
// The records of a pax header by themselves.
std::string pax_records(const std::vector<std::pair<std::string, std::string>>& records);
// An entry with these bytes at these places of its header, and a check sum that is right.
std::string tar_patched(std::string entry, const std::vector<std::pair<std::size_t, std::string>>& bytes);
// The two blocks of zeros that end an archive.
std::string tar_end();

enum class Level { stored, fast, best };
std::string gzip(std::string_view bytes, Level level = Level::fast);
// Of `head` and then `block` so many times, which is packed once only; its check sum at the end is wrong.
std::string gzip_of_many(std::string_view head, std::string_view block, std::size_t times);

// Text of a manifest.json for `files`.
std::string manifest_for(const std::vector<std::string>& files);

void write_file(const std::string& path, std::string_view bytes);
std::string read_file(const std::string& path);

}  // namespace leger::test
