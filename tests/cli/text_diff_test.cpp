#include "cli/text_diff.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::Harness;

std::string side(const std::vector<DiffLine>& lines, LineChange left_out) {
  std::string text;
  for (const DiffLine& line : lines) {
    if (line.change != left_out) text += line.text;
  }
  return text;
}

std::size_t changes(const std::vector<DiffLine>& lines) {
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [](const DiffLine& line) { return line.change != LineChange::same; }));
}

std::string between(std::string_view from, std::string_view to, DiffBounds bounds = {}) {
  return unified_diff({"a/f", from}, {"b/f", to}, bounds);
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  for (int byte = std::fgetc(pipe.get()); byte != EOF; byte = std::fgetc(pipe.get())) text += static_cast<char>(byte);
  return text;
}

// What the system's own diff says of two files.
std::string system_diff(const std::string& from, const std::string& to, const std::string& options) {
  const Harness files;
  const std::string a = files.write_file("a", from);
  const std::string b = files.write_file("b", to);
  return output_of("/usr/bin/diff " + options + " --label a/f --label b/f " + a + " " + b);
}

// Lines of few kinds, so that much is alike and much is moved.
std::string random_text(std::mt19937& random, std::size_t lines, unsigned kinds) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) text += std::string(1, static_cast<char>('a' + random() % kinds)) + "\n";
  if (!text.empty() && random() % 4 == 0) text.pop_back();
  return text;
}

TEST_CASE("a diff is as diff -u writes it") {
  const std::string ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
  struct Pair {
    std::string from;
    std::string to;
  };
  for (const Pair& pair :
       std::vector<Pair>{{"a\n", "b\n"},
                         {"", "a\nb\n"},
                         {"a\nb\n", ""},
                         {"a", "a\n"},
                         {"a\n", "a"},
                         {"a", "b"},
                         {"\n", "\n\n"},
                         {ten, "0\n" + ten},
                         {ten, ten + "11\n"},
                         {ten, "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n"},
                         {ten, "one\n2\n3\n4\n5\n6\n7\n8\n9\nten\n"},     // two hunks
                         {ten, "one\n2\n3\n4\n5\n6\n7\neight\n9\n10\n"},  // six lines between: one hunk
                         {ten, "2\n3\n4\n5\n6\n7\n8\n9\n"},
                         {"[Container]\nImage=a:1\nSecret=x\n", "[Container]\nImage=a:2\nPublishPort=80\nSecret=x\n"},
                         {"x\r\ny\r\n", "x\ny\n"}}) {
    CAPTURE(pair.from);
    CAPTURE(pair.to);
    CHECK(between(pair.from, pair.to) == system_diff(pair.from, pair.to, "-u"));
  }
  CHECK(between(ten, ten) == "--- a/f\n+++ b/f\n");
}

TEST_CASE("the lines of a diff are both texts, with as few changes as diff --minimal finds") {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    const auto kinds = 2 + random() % 9;
    const std::string from = random_text(random, random() % 40, kinds);
    const std::string to = random_text(random, random() % 40, kinds);
    CAPTURE(from);
    CAPTURE(to);
    const auto lines = diff_lines(from, to);
    REQUIRE(side(lines, LineChange::added) == from);
    REQUIRE(side(lines, LineChange::removed) == to);
    if (round % 20 != 0) continue;
    const std::string others = system_diff(from, to, "--minimal -U 100");
    const auto theirs = std::count_if(others.begin(), others.end(), [&others](const char& c) {
      const bool first = &c == others.data() || *(&c - 1) == '\n';
      return first && (c == '-' || c == '+');
    });
    CHECK(changes(lines) + (others.empty() ? 0 : 2) == static_cast<std::size_t>(theirs));
  }
}

// Applies a unified diff as its numbers say, and checks every line that it says is there.
std::string applied(const std::string& from, const std::string& diff) {
  std::vector<std::string> old_lines;
  std::vector<std::string> patch;
  for (const std::string* text : {&from, &diff}) {
    auto& lines = text == &from ? old_lines : patch;
    for (std::size_t begin = 0; begin < text->size();) {
      const std::size_t end = std::min(text->find('\n', begin), text->size() - 1) + 1;
      lines.push_back(text->substr(begin, end - begin));
      begin = end;
    }
  }
  std::string result;
  std::size_t next = 0;
  for (std::size_t i = 2; i < patch.size(); ++i) {
    const std::string& line = patch[i];
    std::string text = line.substr(1);
    if (i + 1 < patch.size() && patch[i + 1].starts_with('\\')) text.pop_back();
    if (line.starts_with("@@")) {
      unsigned long begin = 0;
      unsigned long count = 1;
      REQUIRE(std::sscanf(line.c_str(), "@@ -%lu,%lu", &begin, &count) >= 1);
      if (count > 0) --begin;
      REQUIRE(begin >= next);
      while (next < begin) result += old_lines.at(next++);
    } else if (line.starts_with('-') || line.starts_with(' ')) {
      REQUIRE(old_lines.at(next++) == text);
      if (line.starts_with(' ')) result += text;
    } else if (line.starts_with('+')) {
      result += text;
    }
  }
  while (next < old_lines.size()) result += old_lines[next++];
  return result;
}

TEST_CASE("a diff that is applied to the one text gives the other, within bounds and beyond") {
  std::mt19937 random(8);
  for (int round = 0; round < 600; ++round) {
    const auto kinds = 2 + random() % 20;
    const std::string from = random_text(random, random() % 60, kinds);
    const std::string to = random_text(random, random() % 60, kinds);
    CAPTURE(from);
    CAPTURE(to);
    REQUIRE(applied(from, between(from, to)) == to);
    REQUIRE(applied(from, between(from, to, {.changes = random() % 10})) == to);
    REQUIRE(applied(from, between(from, to, {.steps = random() % 30})) == to);
  }
}

TEST_CASE("texts too different to be compared are replaced between what they begin and end with") {
  CHECK(between("1\na\nb\nc\n9\n", "1\nb\nc\nd\n9\n", {.changes = 1}) ==
        "--- a/f\n+++ b/f\n@@ -1,5 +1,5 @@\n 1\n-a\n-b\n-c\n+b\n+c\n+d\n 9\n");
  CHECK(changes(diff_lines("a\nb\nc\n", "b\nc\nd\n", {.changes = 2})) == 2);
}

TEST_CASE("300 000 lines that are all others are compared within bounds") {
  std::string from;
  std::string to;
  for (int i = 0; i < 300'000; ++i) {
    from += std::to_string(i) + "\n";
    to += std::to_string(i * 7 + 1) + "\n";
  }
  const auto lines = diff_lines(from, to);
  CHECK(side(lines, LineChange::added) == from);
  CHECK(side(lines, LineChange::removed) == to);
}

}  // namespace
}  // namespace leger
