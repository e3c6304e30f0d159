#include "systemd/job_results.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support.h"

namespace leger {
namespace {

struct Fixture {
  test::FakeClock clock;
  Loop loop{clock};
  JobResults results;

  // `nothing` where the watch has not been set.
  std::string outcome(const JobWatch& watch) {
    if (!watch.end().is_set()) return "nothing";
    const auto value = watch.end().await_resume();
    return value ? *value : "error";
  }
};

TEST_CASE("a job's end after its path is known") {
  Fixture f;
  JobWatch watch(f.loop, f.results);
  watch.follow("/job/1");
  f.results.ended("/job/2", "failed");
  CHECK(f.outcome(watch) == "nothing");
  f.results.ended("/job/1", "done");
  CHECK(f.outcome(watch) == "done");
}

TEST_CASE("a job's end before its path is known") {
  Fixture f;
  JobWatch watch(f.loop, f.results);
  f.results.ended("/job/2", "failed");
  f.results.ended("/job/1", "done");
  watch.follow("/job/1");
  CHECK(f.outcome(watch) == "done");
}

TEST_CASE("ends that came before the job was asked for are not taken for its own") {
  Fixture f;
  f.results.ended("/job/1", "failed");
  JobWatch watch(f.loop, f.results);
  watch.follow("/job/1");
  CHECK(f.outcome(watch) == "nothing");
}

TEST_CASE("early ends are kept while any watch has no path, and no longer") {
  Fixture f;
  JobWatch first(f.loop, f.results);
  JobWatch second(f.loop, f.results);
  f.results.ended("/job/1", "done");
  f.results.ended("/job/2", "failed");
  first.follow("/job/1");
  second.follow("/job/2");
  CHECK(f.outcome(first) == "done");
  CHECK(f.outcome(second) == "failed");
  JobWatch third(f.loop, f.results);
  third.follow("/job/1");
  CHECK(f.outcome(third) == "nothing");
}

TEST_CASE("a watch that ends without a path takes the early ends along") {
  Fixture f;
  {
    const JobWatch watch(f.loop, f.results);
    f.results.ended("/job/1", "done");
  }
  JobWatch next(f.loop, f.results);
  next.follow("/job/1");
  CHECK(f.outcome(next) == "nothing");
}

TEST_CASE("of many early ends the newest 256 are remembered") {
  for (const int others : {255, 256}) {
    Fixture f;
    JobWatch watch(f.loop, f.results);
    f.results.ended("/job/ours", "done");
    for (int i = 0; i < others; ++i) f.results.ended("/job/" + std::to_string(i), "done");
    watch.follow("/job/ours");
    CHECK(f.outcome(watch) == (others == 255 ? "done" : "nothing"));
  }
}

TEST_CASE("a lost connection ends every watch") {
  Fixture f;
  JobWatch watch(f.loop, f.results);
  JobWatch without_path(f.loop, f.results);
  watch.follow("/job/1");
  f.results.lost();
  CHECK(f.outcome(watch) == "error");
  CHECK(f.outcome(without_path) == "error");
}

}  // namespace
}  // namespace leger
