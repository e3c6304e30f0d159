#include "daemon/message_parser.h"

#include <algorithm>

#include "backend/base/text.h"

namespace leger {
namespace {

Fail bad(std::string message) { return Fail({Code::bad_request, std::move(message), {}, {}}); }

constexpr std::size_t kMaxSizeDigits = 16;

Method method_of(std::uint8_t number) {
  switch (number) {
    case HTTP_GET:
      return Method::get;
    case HTTP_HEAD:
      return Method::head;
    case HTTP_POST:
      return Method::post;
    case HTTP_PUT:
      return Method::put;
    case HTTP_DELETE:
      return Method::del;
    case HTTP_OPTIONS:
      return Method::options;
    default:
      return Method::other;
  }
}

Error too_long(std::size_t lines) {
  if (lines == 0) {
    return {
        Code::uri_too_long, "The request line is longer than " + std::to_string(kMaxRequestLine) + " bytes.", {}, {}};
  }
  return {
      Code::headers_too_large, "The headers are longer than " + std::to_string(kMaxHeaderBytes) + " bytes.", {}, {}};
}

}  // namespace

// llhttp calls these while it executes; the head is one contiguous piece, so every span comes whole.
struct MessageParser::Callbacks {
  static MessageParser& self(llhttp_t* parser) { return *static_cast<MessageParser*>(parser->data); }

  static int on_url(llhttp_t* parser, const char* at, std::size_t length) {
    self(parser).target_ = {at, length};
    return HPE_OK;
  }
  static int on_field(llhttp_t* parser, const char* at, std::size_t length) {
    self(parser).head_.headers.push_back({{at, length}, {}});
    return HPE_OK;
  }
  static int on_value(llhttp_t* parser, const char* at, std::size_t length) {
    MessageParser& parsed = self(parser);
    if (parsed.framing_ == Framing::trailers) return HPE_OK;  // counted and dropped
    std::string_view value(at, length);
    while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);  // llhttp drops leading ones only
    parsed.head_.headers.back().value = value;
    return HPE_OK;
  }
  static int on_trailer_field(llhttp_t* parser, const char* at, std::size_t length) {
    return self(parser).framing_ == Framing::trailers ? HPE_OK : on_field(parser, at, length);
  }
  static int on_headers_complete(llhttp_t*) { return HPE_PAUSED; }
  static int on_chunk_header(llhttp_t*) { return HPE_PAUSED; }
  static int on_chunk_complete(llhttp_t*) { return HPE_PAUSED; }
  static int on_message_complete(llhttp_t* parser) {
    self(parser).message_complete_ = true;
    return HPE_PAUSED;
  }
  static int on_body(llhttp_t* parser, const char* at, std::size_t length) {
    self(parser).body_->append(at, length);
    return HPE_OK;
  }
};

MessageParser::MessageParser() {
  llhttp_settings_init(&settings_);
  settings_.on_url = Callbacks::on_url;
  settings_.on_header_field = Callbacks::on_trailer_field;
  settings_.on_header_value = Callbacks::on_value;
  settings_.on_headers_complete = Callbacks::on_headers_complete;
  settings_.on_chunk_header = Callbacks::on_chunk_header;
  settings_.on_chunk_complete = Callbacks::on_chunk_complete;
  settings_.on_message_complete = Callbacks::on_message_complete;
  settings_.on_body = Callbacks::on_body;
  reset();
}

void MessageParser::reset() {
  llhttp_init(&parser_, HTTP_REQUEST, &settings_);
  parser_.data = this;
  head_.headers.clear();
  head_ = {.headers = std::move(head_.headers)};
  target_ = {};
  scanned_ = line_start_ = lines_ = request_line_ = 0;
  message_complete_ = false;
  framing_ = Framing::size_line;
  in_extension_ = false;
  extension_bytes_ = extensions_bytes_ = size_digits_ = trailer_bytes_ = 0;
}

Result<std::size_t> MessageParser::find_head(std::string_view input) {
  while (true) {
    const std::size_t limit = lines_ == 0 ? kMaxRequestLine : request_line_ + 2 + kMaxHeaderBytes;
    const std::size_t end = input.find('\n', scanned_);
    if (end == std::string_view::npos) {
      scanned_ = input.size();
      if (input.size() > limit + 2) return Fail(too_long(lines_));
      return 0;
    }
    if (end == 0 || input[end - 1] != '\r') return bad("A line of the request does not end in CR LF.");
    scanned_ = end + 1;
    const std::size_t line_length = end - 1 - line_start_;
    if (line_length == 0) {
      if (lines_ == 0) return bad("The request begins with an empty line.");
      return end + 1;
    }
    if (lines_ == 0 ? line_length > limit : end + 1 > limit) return Fail(too_long(lines_));
    if (lines_ > 0 && (input[line_start_] == ' ' || input[line_start_] == '\t')) {
      return bad("A header is folded over two lines.");
    }
    if (lines_ == 0) request_line_ = line_length;
    if (lines_ > kMaxHeaderFields) {
      const std::string most = std::to_string(kMaxHeaderFields);
      return Fail({Code::headers_too_large, "The request has more than " + most + " header fields.", {}, {}});
    }
    line_start_ = end + 1;
    ++lines_;
  }
}

Result<void> MessageParser::parse_head(std::string_view head_bytes) {
  const std::string_view line = head_bytes.substr(0, request_line_);
  if (!line.ends_with(" HTTP/1.1") && !line.ends_with(" HTTP/1.0"))
    return bad("This is not a request of HTTP/1.1 or 1.0.");
  if (std::ranges::count(line, ' ') != 2) return bad("The request line is not METHOD TARGET VERSION.");
  const llhttp_errno_t problem = llhttp_execute(&parser_, head_bytes.data(), head_bytes.size());
  if (problem != HPE_PAUSED) {
    const char* reason = llhttp_get_error_reason(&parser_);
    return bad("The request is not valid HTTP: " + std::string(reason == nullptr ? "cut off" : reason) + ".");
  }
  head_.method = method_of(llhttp_get_method(&parser_));
  head_.http_1_0 = line.ends_with("0");
  head_.keep_alive = llhttp_should_keep_alive(&parser_) != 0 && !head_.http_1_0;
  return check_head();
}

Result<void> MessageParser::check_head() {
  std::size_t hosts = 0;
  std::size_t codings = 0;
  std::size_t lengths = 0;
  for (Header& field : head_.headers) {
    if (field.name.empty()) return bad("A header has no name.");
    while (field.value.ends_with(' ') || field.value.ends_with('\t')) field.value.remove_suffix(1);
    if (equal_ignoring_case(field.name, "host")) ++hosts;
    if (equal_ignoring_case(field.name, "content-length")) {
      ++lengths;
      head_.content_length = parse_number(field.value);
      if (!head_.content_length) return bad("Content-Length is not a number.");
    }
    if (equal_ignoring_case(field.name, "expect")) {
      head_.expects_continue = !head_.http_1_0 && equal_ignoring_case(field.value, "100-continue");
    }
    if (!equal_ignoring_case(field.name, "transfer-encoding")) continue;
    ++codings;
    head_.chunked = equal_ignoring_case(field.value, "chunked");
  }
  if (hosts != 1) return bad("A request needs exactly one Host header.");
  if (lengths > 1 || (lengths > 0 && codings > 0)) return bad("The length of the body is given twice.");
  if (codings > 1 || (codings == 1 && head_.http_1_0)) return bad("Transfer-Encoding is not allowed here.");
  if (codings == 1 && !head_.chunked) {
    return Fail({Code::not_implemented, "The only transfer coding is chunked.", {}, {}});
  }
  return read_target(target_);
}

Result<void> MessageParser::read_target(std::string_view target) {
  if (!target.starts_with('/') && target != "*") {
    const std::size_t scheme = target.find("://");  // absolute form, RFC 9112 §3.2.2
    if (scheme == std::string_view::npos) return bad("The request target is not a path.");
    const std::size_t path = target.find_first_of("/?", scheme + 3);
    if (path == std::string_view::npos || target[path] == '?') {
      head_.path = "/";
      if (path != std::string_view::npos) head_.query = target.substr(path + 1);
      return {};
    }
    target = target.substr(path);
  }
  target = target.substr(0, target.find('#'));
  const std::size_t question = target.find('?');
  head_.path = target.substr(0, question);
  if (head_.path.empty()) head_.path = "/";
  if (question != std::string_view::npos) head_.query = target.substr(question + 1);
  return {};
}

Result<MessageParser::BodyStep> MessageParser::decode_body(std::string_view input, std::string& body) {
  BodyStep step;
  body_ = &body;
  while (!message_complete_) {
    const std::string_view rest = input.substr(step.consumed);
    llhttp_resume(&parser_);
    const std::size_t body_before = body.size();
    const llhttp_errno_t problem = llhttp_execute(&parser_, rest.data(), rest.size());
    if (problem == HPE_PAUSED_UPGRADE) llhttp_resume_after_upgrade(&parser_);
    const bool paused = problem == HPE_PAUSED || problem == HPE_PAUSED_UPGRADE;
    if (!paused && problem != HPE_OK) return bad("The body of the request is not framed as HTTP has it.");
    const std::size_t used =
        paused ? static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - rest.data()) : rest.size();
    if (head_.chunked) {
      const std::size_t data = body.size() - body_before;
      auto counted = count_framing(framing_ == Framing::data ? std::string_view() : rest.substr(data, used - data));
      if (!counted) return Fail(counted.error());
      if (paused && !message_complete_ && framing_ == Framing::size_line) {
        framing_ = parser_.content_length == 0 ? Framing::trailers : Framing::data;
      } else if (paused && framing_ == Framing::data) {
        framing_ = Framing::size_line;
        in_extension_ = false;
        extension_bytes_ = size_digits_ = 0;
      }
    }
    step.consumed += used;
    if (!paused) break;
  }
  step.ended = message_complete_;
  return step;
}

// Bytes between the data of chunks: size lines with their extensions, and trailers.
Result<void> MessageParser::count_framing(std::string_view framing) {
  if (framing_ == Framing::trailers) {
    trailer_bytes_ += framing.size();
    if (trailer_bytes_ > kMaxHeaderBytes) {
      return Fail({Code::headers_too_large, "The trailers of the body are too long.", {}, {}});
    }
    return {};
  }
  for (const char c : framing) {
    if (c == '\r' || c == '\n') continue;
    if (c == ';') in_extension_ = true;
    if (in_extension_) {
      ++extension_bytes_;
      ++extensions_bytes_;
    } else if (++size_digits_ > kMaxSizeDigits) {
      return bad("The size of a chunk is too long.");
    }
  }
  if (extension_bytes_ > kMaxChunkExtension || extensions_bytes_ > kMaxChunkExtensions) {
    return bad("The extensions of the body's chunks are too long.");
  }
  return {};
}

}  // namespace leger
