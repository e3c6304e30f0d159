#include "backend/base/http_client.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string_view>

#include "backend/base/secret.h"
#include "backend/base/text.h"

namespace leger {
namespace {

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

// A header may hold a key.
void free_headers(curl_slist* list) {
  for (const curl_slist* item = list; item != nullptr; item = item->next)
    explicit_bzero(item->data, strlen(item->data));
  curl_slist_free_all(list);
}
using HeaderList = std::unique_ptr<curl_slist, decltype(&free_headers)>;

// One exchange: what libcurl writes into, and who waits for its end.
struct Exchange {
  Exchange(Loop& loop, HttpRequest sent)
      : request(std::move(sent)), done(loop), silence(loop.timers(), [this] { done.set(CURLE_OPERATION_TIMEDOUT); }) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  // What is sent may be a secret's value or a key, and so may be what came of an answer that was not whole.
  ~Exchange() {
    for (std::string& header : request.headers) wipe(header);
    if (request.body) wipe(*request.body);
    wipe(response.body);
  }

  HttpRequest request;
  HttpResponse response;
  OneShot<CURLcode> done;
  curl_off_t sent = 0;  // bytes of the body, as last told
  bool too_large = false;
  bool had_enough = false;  // on_part wants no more
  CURL* easy = nullptr;
  Timer silence;  // of an answer that is not kept
};

// A string that grows by itself frees its old bytes as they are, and the answer may be a private key.
void append_wiping(std::string& body, std::string_view bytes) {
  if (body.size() + bytes.size() > body.capacity()) {
    std::string larger;
    larger.reserve(std::max(2 * body.capacity(), body.size() + bytes.size()));
    larger.append(body);
    wipe(body);
    body = std::move(larger);
  }
  body.append(bytes);
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  long status = 0;
  curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
  if (exchange.request.on_part && status == 200) {
    exchange.silence.set_in(exchange.request.timeout_ms);
    exchange.had_enough = !exchange.request.on_part({bytes, size * count});
    return exchange.had_enough ? 0 : size * count;
  }
  if (exchange.response.body.size() + size * count > exchange.request.max_body_bytes) {
    exchange.too_large = true;
    return 0;  // ends the transfer
  }
  append_wiping(exchange.response.body, std::string_view(bytes, size * count));
  if (exchange.request.on_received) exchange.request.on_received(exchange.response.body.size());
  return size * count;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line(bytes, size * count);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const std::size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) exchange.response.headers.clear();  // 100 Continue came before
  if (colon == std::string_view::npos || exchange.response.headers.size() >= 100) return size * count;
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  exchange.response.headers.emplace_back(ascii_lower(line.substr(0, colon)), std::string(value));
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t total, curl_off_t sent) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (sent == exchange.sent) return 0;
  exchange.sent = sent;
  exchange.request.on_upload(static_cast<std::uint64_t>(sent), static_cast<std::uint64_t>(total));
  return 0;
}

// libcurl's own sockets would live on in a browser that leger starts.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

HeaderList header_list(const HttpRequest& request) {
  HeaderList list(curl_slist_append(nullptr, "Expect:"), free_headers);
  for (const std::string& header : request.headers) curl_slist_append(list.get(), header.c_str());
  return list;
}

void prepare(CURL* easy, Exchange& exchange, curl_slist* headers) {
  const HttpRequest& request = exchange.request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "leger");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms));
  if (request.on_part) {
    exchange.silence.set_in(request.timeout_ms);
  } else {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  }
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &exchange);
  if (!request.unix_socket.empty()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  if (request.body) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body->c_str());
  }
  if (request.body && request.on_upload) {
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &exchange);
  }
  if (request.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

}  // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (field == name) return value;
  }
  return std::nullopt;
}

// libcurl tells which sockets and which timeout it waits for; libuv tells it when they come.
class HttpClient::Multi {
 public:
  explicit Multi(Loop& loop) : loop_(loop), handle_(curl_multi_init()) {
    if (handle_ == nullptr) throw std::runtime_error("libcurl cannot be initialised");
    curl_multi_setopt(handle_, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(handle_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(handle_, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(handle_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(handle_, CURLMOPT_MAXCONNECTS, 8L);
    timer_ = new uv_timer_t;
    uv_timer_init(loop_.uv(), timer_);
    timer_->data = this;
  }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  ~Multi() {
    curl_multi_cleanup(handle_);
    uv_close(reinterpret_cast<uv_handle_t*>(timer_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
  }

  Loop& loop() { return loop_; }
  bool add(CURL* easy, Exchange& exchange) {
    if (stopped_ || curl_multi_add_handle(handle_, easy) != CURLM_OK) return false;
    under_way_.insert(&exchange);
    return true;
  }
  void remove(CURL* easy, Exchange& exchange) {
    under_way_.erase(&exchange);
    curl_multi_remove_handle(handle_, easy);
  }
  void stop() {
    stopped_ = true;
    for (const Exchange* exchange : under_way_) exchange->done.set(CURLE_ABORTED_BY_CALLBACK);
  }

 private:
  // One socket that libcurl waits for; lives from its first wish to the close callback.
  struct Socket {
    uv_poll_t poll;
    Multi* multi;
    curl_socket_t fd;
  };

  static int on_socket_wanted(CURL*, curl_socket_t fd, int what, void* user, void* socket_user) {
    auto* multi = static_cast<Multi*>(user);
    auto* socket = static_cast<Socket*>(socket_user);
    if (what == CURL_POLL_REMOVE) {
      if (socket == nullptr) return 0;
      uv_poll_stop(&socket->poll);
      uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll),
               [](uv_handle_t* handle) { delete static_cast<Socket*>(handle->data); });
      return 0;
    }
    if (socket == nullptr) {
      socket = new Socket{{}, multi, fd};
      if (uv_poll_init(multi->loop_.uv(), &socket->poll, fd) != 0) {
        delete socket;
        return -1;
      }
      socket->poll.data = socket;
      curl_multi_assign(multi->handle_, fd, socket);
    }
    const int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&socket->poll, events, on_socket_ready);
    return 0;
  }

  static void on_socket_ready(uv_poll_t* poll, int status, int events) {
    const auto* socket = static_cast<Socket*>(poll->data);
    int mask = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    if (status < 0) mask = CURL_CSELECT_ERR;
    socket->multi->act(socket->fd, mask);
  }

  static int on_timeout_wanted(CURLM*, long timeout_ms, void* user) {
    auto* multi = static_cast<Multi*>(user);
    if (timeout_ms < 0) {
      uv_timer_stop(multi->timer_);
    } else {
      uv_timer_start(
          multi->timer_, [](uv_timer_t* timer) { static_cast<Multi*>(timer->data)->act(CURL_SOCKET_TIMEOUT, 0); },
          static_cast<std::uint64_t>(timeout_ms), 0);
    }
    return 0;
  }

  void act(curl_socket_t fd, int mask) {
    int running = 0;
    curl_multi_socket_action(handle_, fd, mask, &running);
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(handle_, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      Exchange* exchange = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
      exchange->done.set(message->data.result);
    }
  }

  Loop& loop_;
  CURLM* handle_;
  uv_timer_t* timer_ = nullptr;
  std::set<Exchange*> under_way_;
  bool stopped_ = false;
};

HttpClient::HttpClient(Loop& loop) : multi_(std::make_unique<Multi>(loop)) {}
HttpClient::~HttpClient() = default;

void HttpClient::stop() { multi_->stop(); }

Task<Result<HttpResponse>> HttpClient::send(HttpRequest request) {
  Exchange exchange(multi_->loop(), std::move(request));
  const HeaderList headers = header_list(exchange.request);
  const Easy easy(curl_easy_init(), curl_easy_cleanup);
  const auto failed = [&exchange](std::string_view why) {
    const std::string& to = exchange.request.unix_socket.empty() ? exchange.request.url : exchange.request.unix_socket;
    return Fail({Code::upstream_failed, "No answer from " + to + ": " + std::string(why) + ".", {}, {}});
  };
  if (!easy) co_return failed("libcurl cannot start a transfer");
  exchange.easy = easy.get();
  prepare(easy.get(), exchange, headers.get());
  if (!multi_->add(easy.get(), exchange)) co_return failed("libcurl cannot start a transfer");
  const CURLcode code = co_await exchange.done;
  multi_->remove(easy.get(), exchange);
  if (exchange.too_large) {
    co_return failed("the answer is longer than " + std::to_string(exchange.request.max_body_bytes) + " bytes");
  }
  if (code != CURLE_OK && !exchange.had_enough) co_return failed(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  co_return std::move(exchange.response);
}

}  // namespace leger
