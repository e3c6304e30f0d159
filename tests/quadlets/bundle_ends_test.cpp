#include "quadlets/bundle.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/quadlets/archives.h"
#include "tests/quadlets/bundle_harness.h"

namespace leger::test {
namespace {

TEST_CASE("one gzip member and nothing after it") {
  const std::string good = gzip(hello_tar());
  check_says(refusal(good + gzip(hello_tar())), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + gzip("")), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + "x"), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + std::string(1, '\0')), Code::invalid_bundle, "follows the end of its gzip member");
  check_says(refusal(good + std::string(200'000, '\0')), Code::invalid_bundle, "follows the end of its gzip member");
  // The tar archive split over two members, which gzip itself would join.
  const std::string whole = hello_tar();
  check_says(refusal(gzip(whole.substr(0, 1024)) + gzip(whole.substr(1024))), Code::invalid_bundle,
             "The bundle is refused");
}

TEST_CASE("after the archive's end mark only zeros may follow, and the end mark must be there") {
  CHECK(accepted(gzip(hello_tar() + std::string(8192, '\0'))));
  CHECK(accepted(gzip(hello_tar() + std::string(100'000, '\0'))));
  check_says(refusal(gzip(hello_tar() + "x")), Code::invalid_bundle, "follows the end of its tar archive");
  check_says(refusal(gzip(hello_tar() + std::string(4096, '\0') + "x" + std::string(4096, '\0'))), Code::invalid_bundle,
             "follows the end of its tar archive");
  check_says(refusal(gzip(hello_tar() + tar_file("late.conf", "x") + tar_end())), Code::invalid_bundle,
             "follows the end of its tar archive");
  std::string without_end = hello_tar();
  without_end.resize(without_end.size() - 1024);
  check_says(refusal(gzip(without_end)), Code::invalid_bundle, "end mark is missing");
  check_says(refusal(gzip(without_end + std::string(512, '\0'))), Code::invalid_bundle, "end mark is missing");
  check_says(refusal(gzip(without_end + std::string(1023, '\0'))), Code::invalid_bundle, "end mark is missing");
  CHECK(accepted(gzip(without_end + std::string(1024, '\0'))));
}

TEST_CASE("a bundle cut anywhere is refused and leaves nothing") {
  const std::string whole = gzip(hello_tar() + std::string(20'000, '\0'), Level::stored);
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    INFO(length);
    refusal(whole.substr(0, length));
  }
  refusal(whole.substr(0, whole.size() - 1));
}

TEST_CASE("a tar archive cut anywhere inside a whole gzip member is refused") {
  const std::string whole = hello_tar();
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    INFO(length);
    refusal(gzip(whole.substr(0, length)));
  }
}

TEST_CASE("a wrong check sum of gzip or tar is refused") {
  std::string packed = gzip(hello_tar(), Level::stored);
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
  check_says(refusal(packed), Code::invalid_bundle, "no valid gzip file");
  std::string bytes = hello_tar();
  bytes[0] = 'n';
  check_says(refusal(gzip(bytes)), Code::invalid_bundle, "The bundle is refused");
}

}  // namespace
}  // namespace leger::test
