#include "tests/fakes/fake_api.h"

namespace leger::test {

FakeApi::FakeApi(const std::string& path)
    : server_(path, [this](const SeenRequest& request) { return answer_to(request); }) {}

FakeApi::FakeApi() : server_([this](const SeenRequest& request) { return answer_to(request); }) {}

void FakeApi::reply(const std::string& request, int status, const std::string& body) {
  reply_bytes(request, http_answer(status, body));
}

void FakeApi::reply_bytes(const std::string& request, const std::string& bytes) {
  const std::scoped_lock lock(mutex_);
  replies_[request].push_back(bytes);
}

Reply FakeApi::answer_to(const SeenRequest& request) {
  const std::scoped_lock lock(mutex_);
  auto& replies = replies_[request.method + " " + request.target];
  if (replies.empty()) return {.bytes = http_answer(599, "")};
  std::string bytes = replies.front();
  if (replies.size() > 1) replies.pop_front();
  return {.bytes = std::move(bytes)};
}

}  // namespace leger::test
