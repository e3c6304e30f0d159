#pragma once

// HTTP/1.1 requests out of bytes: llhttp without lenient flags, and the bounds that it does not keep (threats T23,
// T24). The head is taken only when it is whole, the body as it comes. One a connection; no input or output of its own.

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "daemon/http_types.h"

namespace leger {

inline constexpr std::size_t kMaxRequestLine = 8 * 1024;   // bytes, without its line end
inline constexpr std::size_t kMaxHeaderBytes = 16 * 1024;  // header lines with their line ends
inline constexpr std::size_t kMaxHeaderFields = 100;
inline constexpr std::size_t kMaxChunkExtension = 256;         // bytes a chunk
inline constexpr std::size_t kMaxChunkExtensions = 16 * 1024;  // bytes a body

class MessageParser {
 public:
  MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // Looks for a whole head at the start of `input`: its length in bytes, 0 while it is not whole yet, or what is wrong.
  // Remembers how far it has looked: call it again with the same bytes and more.
  Result<std::size_t> find_head(std::string_view input);

  // Reads the head that find_head measured. `head_bytes` outlives the Head that head() gives.
  Result<void> parse_head(std::string_view head_bytes);
  const Head& head() const { return head_; }

  struct BodyStep {
    std::size_t consumed = 0;  // bytes of the input that are done with
    bool ended = false;        // the body is whole; what follows is the next request
  };
  // Decodes body bytes, appending to `body`. Call it until it says `ended`; a request without a body has ended at once.
  Result<BodyStep> decode_body(std::string_view input, std::string& body);

  // Ready for the next request on this connection.
  void reset();

 private:
  struct Callbacks;
  Result<void> check_head();
  Result<void> read_target(std::string_view target);
  Result<void> count_framing(std::string_view framing);

  llhttp_settings_t settings_{};
  llhttp_t parser_{};
  Head head_;
  std::string_view target_;
  std::size_t scanned_ = 0;       // bytes of the head that were looked at
  std::size_t line_start_ = 0;    // of the line being looked at
  std::size_t lines_ = 0;         // whole lines before it
  std::size_t request_line_ = 0;  // length of the first line
  bool message_complete_ = false;

  enum class Framing { size_line, data, trailers };
  Framing framing_ = Framing::size_line;
  bool in_extension_ = false;
  std::size_t extension_bytes_ = 0;   // of this chunk
  std::size_t extensions_bytes_ = 0;  // of this body
  std::size_t size_digits_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string* body_ = nullptr;
};

}  // namespace leger
