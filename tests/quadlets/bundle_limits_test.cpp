#include "quadlets/bundle.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "quadlets/gzip_reader.h"
#include "tests/quadlets/archives.h"
#include "tests/quadlets/bundle_harness.h"
#include "tests/support.h"

namespace leger::test {
namespace {

TEST_CASE("limit: packed bytes") {
  const std::string packed = gzip(hello_tar());
  CHECK(accepted(packed, {.packed_bytes = packed.size()}));
  CHECK(accepted(packed, {.packed_bytes = packed.size() + 1}));
  check_says(refusal(packed, {.packed_bytes = packed.size() - 1}), Code::bundle_too_large, "more than");
}

TEST_CASE("limit: unpacked bytes") {
  const std::string bytes = hello_tar();
  CHECK(accepted(gzip(bytes), {.unpacked_bytes = bytes.size()}));
  CHECK(accepted(gzip(bytes), {.unpacked_bytes = bytes.size() + 1}));
  check_says(refusal(gzip(bytes), {.unpacked_bytes = bytes.size() - 1}), Code::bundle_too_large,
             "unpacked it has more");
}

TEST_CASE("limit: bytes of a file, the contract's own") {
  const auto of_size = [](std::size_t size) {
    std::string content(size, '\0');
    std::mt19937 random(7);  // so that the ratio is no matter
    for (std::size_t i = 0; i < size; i += 3) content[i] = static_cast<char>(random());
    return gzip(with_manifest(tar_file("big.bin", content)));
  };
  CHECK(accepted(of_size(4 * kMiB - 1)));
  CHECK(accepted(of_size(4 * kMiB)));
  check_says(refusal(of_size(4 * kMiB + 1)), Code::bundle_too_large,
             "\"big.bin\" has 4194305 bytes, more than 4194304");
}

TEST_CASE("limit: bytes of the manifest") {
  const std::string manifest = manifest_for({});
  const auto padded = [&manifest](std::size_t size) {
    return gzip(tar_file("manifest.json", manifest + std::string(size - manifest.size(), ' ')) + tar_end());
  };
  const std::size_t most = BundleLimits().manifest_bytes;
  CHECK(accepted(padded(most - 1)));
  CHECK(accepted(padded(most)));
  check_says(refusal(padded(most + 1)), Code::bundle_too_large, "manifest.json");
}

TEST_CASE("limit: ratio, beyond the first MiB") {
  const auto zeros = [](std::size_t size) {
    return gzip(with_manifest("") + std::string(size - with_manifest("").size(), '\0'), Level::best);
  };
  CHECK(accepted(zeros(kMiB - 1), {.ratio = 0}));
  CHECK(accepted(zeros(kMiB), {.ratio = 0}));
  refusal(zeros(kMiB + 1), {.ratio = 0});
  const std::string packed = zeros(3 * kMiB);
  const std::uint64_t exact = (2 * kMiB + packed.size() - 1) / packed.size();
  CHECK(exact > 100);
  CHECK(accepted(packed, {.ratio = exact + 1}));
  CHECK(accepted(packed, {.ratio = exact}));
  check_says(refusal(packed, {.ratio = exact - 1}), Code::bundle_too_large, "times its size");
  check_says(refusal(packed), Code::bundle_too_large, "more than 100 times its size");
}

TEST_CASE("limit: entries, folders among them") {
  const auto with_entries = [](std::size_t count) {
    std::string entries;
    for (std::size_t i = 1; i < count; ++i) {
      entries += i % 2 == 0 ? tar_file("f" + std::to_string(i), "") : tar_folder("d" + std::to_string(i));
    }
    return gzip(with_manifest(entries));
  };
  CHECK(accepted(with_entries(255)));
  CHECK(accepted(with_entries(256)));
  check_says(refusal(with_entries(257)), Code::bundle_too_large, "more than 256 entries");
}

TEST_CASE("limit: levels") {
  CHECK(accepted(gzip(with_manifest(tar_file("a/b/c", "x")))));
  CHECK(accepted(gzip(with_manifest(tar_file("a/b/c/d", "x") + tar_folder("a/b/c/e/")))));
  check_says(refused_entry(tar_file("a/b/c/d/e", "x")), Code::invalid_bundle, "deeper than 4 levels");
  check_says(refused_entry(tar_folder("a/b/c/d/e/")), Code::invalid_bundle, "deeper than 4 levels");
}

TEST_CASE("limit: bytes of a path") {
  const auto path = [](std::size_t size) { return std::string(120, 'a') + "/" + std::string(size - 121, 'b'); };
  const auto entry = [&path](std::size_t size) { return tar_pax({{"path", path(size)}}) + tar_file("short", "x"); };
  CHECK(accepted(gzip(with_manifest(entry(254)))));
  CHECK(accepted(gzip(with_manifest(entry(255)))));
  check_says(refused_entry(entry(256)), Code::invalid_bundle, "more than 255 bytes");
}

TEST_CASE("a bomb of zeros is refused early") {
  const std::string head = tar_file("manifest.json", manifest_for({}));
  const std::string packed = gzip(head + std::string(96 * kMiB, '\0'), Level::fast);
  check_says(refusal(packed), Code::bundle_too_large, "unpacked it");
  check_says(refusal(packed, {.ratio = 100'000}), Code::bundle_too_large, "more than 67108864 bytes");
}

// 16 MiB of zeros, so many times: what is packed once stands in the bundle as often.
std::string with_zeros(const std::string& head) { return gzip_of_many(head, std::string(16 * kMiB, '\0'), 640); }

TEST_CASE("a bomb of 10 GiB is refused by the header that announces it, or after 64 MiB") {
  const std::string head = tar_file("manifest.json", manifest_for({}));
  const auto announced = [&head](char type) {
    return refusal(with_zeros(head + tar({.name = "zero.bin", .type = type, .size_field = "120000000000"})));
  };
  check_says(announced('0'), Code::bundle_too_large, "\"zero.bin\" has 10737418240 bytes, more than 4194304");
  check_says(announced('L'), Code::invalid_bundle, "\"manifest.json\"");
  check_says(announced('x'), Code::invalid_bundle, "\"manifest.json\"");
  const std::string behind_the_end = with_zeros(with_manifest(""));
  CHECK(behind_the_end.size() < BundleLimits().packed_bytes);
  check_says(refusal(behind_the_end), Code::bundle_too_large, "more than 67108864 bytes");
}

TEST_CASE("of a bomb no more is unpacked than a bundle may have, and one block") {
  const TemporaryFolder folder;
  write_file(folder / "bomb", with_zeros(""));
  const BundleLimits limits;
  auto gzip = GzipReader::open(folder / "bomb", {limits.packed_bytes, limits.unpacked_bytes, limits.ratio});
  REQUIRE(gzip.has_value());
  auto block = gzip->next();
  while (block && !block->empty()) block = gzip->next();
  REQUIRE_FALSE(block.has_value());
  CHECK(gzip->unpacked() <= 64 * kMiB + (64 << 10));
}

TEST_CASE("a million empty entries are refused at the first one too many") {
  std::string entries;
  for (int i = 0; i < 1000; ++i) entries += tar_file("e" + std::to_string(i), "");
  const std::string packed = gzip_of_many(tar_file("manifest.json", manifest_for({})), entries, 1000);
  check_says(refusal(packed), Code::bundle_too_large, "more than 256 entries");
}

TEST_CASE("a hundred thousand headers about headers are refused") {
  std::string headers;
  for (int i = 0; i < 1000; ++i) headers += tar_pax({{"comment", std::string(400, 'x')}}, 'g');
  const std::string packed = gzip_of_many(tar_file("manifest.json", manifest_for({})), headers, 100);
  check_says(refusal(packed), Code::invalid_bundle, "The bundle is refused");
}

}  // namespace
}  // namespace leger::test
