#pragma once

// Blocking work off the loop: `co_await offload(loop, [..] { … })` runs the function on libuv's pool and gives its
// value back on the loop. The function owns or outlives what it captures; it may not touch the loop. What it throws is
// rethrown.

#include <uv.h>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "backend/base/loop.h"
#include "backend/base/task.h"

namespace leger {
namespace detail {

// One job; lives on the heap from uv_queue_work to its last callback.
template <class Work>
struct OffloadJob {
  using Value = std::invoke_result_t<Work>;

  OffloadJob(Work job_work, OneShot<bool> job_done) : work(std::move(job_work)), done(std::move(job_done)) {
    request.data = this;
  }

  static void run(uv_work_t* request) noexcept {
    auto& job = *static_cast<OffloadJob*>(request->data);
    try {
      job.value.emplace(job.work());
    } catch (...) {
      job.exception = std::current_exception();
    }
  }
  static void finished(uv_work_t* request, int) { static_cast<OffloadJob*>(request->data)->done.set(true); }

  uv_work_t request{};
  Work work;
  OneShot<bool> done;
  std::optional<Value> value;
  std::exception_ptr exception;
};

}  // namespace detail

// `work` returns a value (not void).
template <class Work>
Task<std::invoke_result_t<Work>> offload(Loop& loop, Work work) {
  const OneShot<bool> done(loop);
  auto job = std::make_unique<detail::OffloadJob<Work>>(std::move(work), done);
  uv_queue_work(loop.uv(), &job->request, detail::OffloadJob<Work>::run, detail::OffloadJob<Work>::finished);
  co_await done;
  if (job->exception) std::rethrow_exception(job->exception);
  co_return std::move(*job->value);
}

}  // namespace leger
