#pragma once

// A request and its answer as the doors and the routes exchange them. Values; the views of a Head live as long as the
// request is being answered.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"
#include "backend/base/task.h"
#include "daemon/peer.h"

namespace leger {

enum class Method { get, head, post, put, del, options, other };

struct Header {
  std::string_view name;
  std::string_view value;
};

// What stands before the body.
struct Head {
  Method method = Method::other;
  bool http_1_0 = false;
  bool keep_alive = false;
  bool expects_continue = false;
  std::string_view path;                        // raw, without the query
  std::string_view query;                       // raw, without the question mark
  std::optional<std::uint64_t> content_length;  // nothing without the header, and for chunked bodies
  bool chunked = false;
  std::vector<Header> headers;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  // The first of that name, case ignored; nothing where there is none.
  std::optional<std::string_view> header(std::string_view name) const;
};

// Who is asking: an account, and whether it may operate this host.
struct Caller {
  std::string user_uuid;
  bool is_operator = false;
  std::string session_id;  // empty at the Unix socket, which needs none
  std::string binding;     // how the identity was proven, as in Session
};

inline const Caller kNobody;

// The next part of a body as it arrives, at most 64 KiB; empty at its end. An error ends the request.
using BodyReader = std::function<Task<Result<std::string>>()>;

struct Request {
  const Head& head;
  const Peer& peer;
  const Caller& caller = kNobody;
  std::string id;                       // as RequestIds makes them
  std::vector<std::string> parameters;  // of the route's `:names` and `*name`, in order, percent-decoded
  std::string body;                     // whole, for routes that take JSON
  BodyReader read_body;                 // for routes that take a stream

  // A query parameter, percent-decoded; nothing where it is absent; the last one wins.
  std::optional<std::string> query(std::string_view name) const;
};

// The next part of a long answer; empty at its end. An error breaks the connection off, so that no client takes the
// answer for whole.
using BodySource = std::function<Result<std::string>()>;

// An answer that comes as things happen, without an end that is known. It is sent when there is something, a slow
// client is waited for, and nothing is kept for it meanwhile.
struct LiveBody {
  // What has come since the last call, at most about 64 KiB; empty: nothing yet; nothing: it has ended.
  std::function<std::optional<std::string>()> take;
  // `wake` is called when take() may have more, until what is returned is destroyed.
  std::function<std::shared_ptr<void>(std::function<void()> wake)> watch;
};

// A part of an open file, which is as long as it says.
struct FileBody {
  FileHandle file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct Response {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view cache_control;  // empty: not said
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string body;
  BodySource source;             // set: the body follows in parts, chunked
  std::optional<FileBody> file;  // set: the body is this, and `body` empty
  std::optional<LiveBody> live;  // set: the body is this, chunked
  bool is_page = false;          // for a browser to show: its headers say what it may load
};

// A value of a header, or a part of one, without the spaces and tabs around it.
std::string_view without_blanks(std::string_view text);

// `text` with %XX decoded once; nothing for a broken escape, a NUL or bytes that are not UTF-8.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace leger
