#include "cli/secret_value.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "backend/base/file_handle.h"
#include "backend/base/text.h"
#include "cli/output.h"

namespace leger {
namespace {

Fail unreadable(const std::string& what, int errno_value) {
  return Fail({Code::invalid_request,
               what + " cannot be read: " + std::generic_category().message(errno_value) + ".",
               "Check the path and its permissions.",
               {}});
}

// All of `fd` into a buffer that never moves; one byte more than the bound tells that there is too much.
Result<Secret> read_all(int fd, const std::string& what, std::size_t max_bytes) {
  Secret value;
  std::string& buffer = value.buffer();
  buffer.resize(max_bytes + 1);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t count = read(fd, buffer.data() + size, buffer.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(what, errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  buffer.resize(size);  // what lies behind was never filled
  return value;
}

Result<Secret> read_path(const std::string& path, std::size_t max_bytes) {
  const std::string what = "The file " + in_quotes(path);
  const FileHandle file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return unreadable(what, errno);
  return read_all(file.get(), what, max_bytes);
}

// What `@FILE` of the command line names.
Result<Secret> read_named(std::string path, const Io& io) {
  if (path.empty()) return Fail({Code::invalid_request, "@ names no file.", "Write @FILE.", {}});
  if (path.starts_with("~/")) path = io.variable("HOME").value_or("") + path.substr(1);
  return read_path(path, kMaxSecretBytes);
}

// `echo key | leger secrets set NAME -` means the key, not the newline that echo adds.
void drop_newline_of_one_line(Secret& value) {
  std::string& text = value.buffer();
  const bool one_line = text.find('\n') == text.size() - 1;
  if (text.empty() || !one_line || text.contains('\0') || !is_utf8(text)) return;
  text.pop_back();
}

}  // namespace

Result<Secret> read_secret_value(const std::string& source, FinalNewline newline, const Io& io) {
  Result<Secret> value = source == "-"             ? read_all(io.in, "Standard input", kMaxSecretBytes)
                         : source.starts_with('@') ? read_named(source.substr(1), io)
                                                   : Result<Secret>(Secret(source));
  if (!value) return value;
  if (source == "-" && newline == FinalNewline::drop_of_one_line) drop_newline_of_one_line(*value);
  if (value->reveal().empty()) {
    return Fail({Code::invalid_request, "The value is empty.", "Give a value of at least one byte.", {}});
  }
  if (value->reveal().size() > kMaxSecretBytes) {
    return Fail({Code::secret_value_too_large,
                 "The value is longer than " + std::to_string(kMaxSecretBytes) + " bytes.",
                 "Keep large data in a volume or in a file of the bundle.",
                 {}});
  }
  return value;
}

Result<Secret> read_secret_file(const std::string& path, std::size_t max_bytes, const Io& io) {
  const bool standard = path == "-";
  auto content = standard ? read_all(io.in, "Standard input", max_bytes) : read_path(path, max_bytes);
  if (!content || content->reveal().size() <= max_bytes) return content;
  return Fail(
      {Code::body_too_large,
       (standard ? "Standard input" : in_quotes(path)) + " is longer than " + std::to_string(max_bytes) + " bytes.",
       "Split it into several files.",
       {}});
}

}  // namespace leger
