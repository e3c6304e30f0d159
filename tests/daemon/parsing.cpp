#include "tests/daemon/parsing.h"

#include <utility>

#include "daemon/message_parser.h"

namespace leger::test {
namespace {

std::string_view text_of(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::del:
      return "DELETE";
    case Method::options:
      return "OPTIONS";
    case Method::other:
      break;
  }
  return "OTHER";
}

// What a connection does with its parser, without the connection.
class Feed {
 public:
  // False once it has refused to go on.
  bool add(std::string_view piece) {
    input_ += piece;
    while (!refused_ && step()) {
    }
    return !refused_;
  }
  std::string result() const { return text_ + (refused_ ? "" : in_body_ || !input_.empty() ? "…" : ""); }

 private:
  // One part of a request; false where more bytes are needed.
  bool step() {
    if (!in_body_) return take_head();
    auto done = parser_.decode_body(input_, body_);
    if (!done) return refuse(done.error());
    input_.erase(0, done->consumed);
    if (!done->ended) return false;
    return finish();
  }

  bool take_head() {
    if (input_.empty()) return false;
    auto length = parser_.find_head(input_);
    if (!length) return refuse(length.error());
    if (*length == 0) return false;
    head_ = input_.substr(0, *length);
    input_.erase(0, *length);
    auto parsed = parser_.parse_head(head_);
    if (!parsed) return refuse(parsed.error());
    const Head& head = parser_.head();
    text_ += std::string(text_of(head.method)) + " " + std::string(head.path);
    if (!head.query.empty()) text_ += "?" + std::string(head.query);
    text_ += head.http_1_0 ? " 1.0" : "";
    text_ += head.keep_alive ? " " : " close ";
    for (const Header& field : head.headers) text_ += std::string(field.name) + "=" + std::string(field.value) + ";";
    in_body_ = true;
    return head.has_body() || finish();
  }

  bool finish() {
    text_ += " [" + std::exchange(body_, {}) + "]\n";
    in_body_ = false;
    parser_.reset();
    return true;
  }

  bool refuse(const Error& error) {
    text_ += "! " + std::string(name_of(error.code));
    refused_ = true;
    return false;
  }

  MessageParser parser_;
  std::string input_;
  std::string head_;
  std::string body_;
  std::string text_;
  bool in_body_ = false;
  bool refused_ = false;
};

}  // namespace

std::string parse_pieces(const std::vector<std::string_view>& pieces) {
  Feed feed;
  for (const std::string_view piece : pieces) {
    if (!feed.add(piece)) break;
  }
  return feed.result();
}

std::string parse_whole(std::string_view bytes) { return parse_pieces({bytes}); }

std::string post(std::string_view lines, std::string_view body) {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + std::string(lines) + "\r\n" + std::string(body);
}

}  // namespace leger::test
