#include "cli/dotenv.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "cli/secret_value.h"

namespace leger {
namespace {

// `name=value` of each entry between bars, or the message.
std::string parsed(const std::string& text) {
  const auto entries = read_dotenv(text, "F");
  if (!entries) return entries.error().message;
  std::string result;
  for (const DotenvEntry& entry : *entries) result += entry.name + "=" + std::string(entry.value.reveal()) + "|";
  return result;
}

TEST_CASE("a dotenv line may have export, blanks, a comment and quotes") {
  CHECK(parsed("A=b") == "A=b|");
  CHECK(parsed("A=b\nC=d\n") == "A=b|C=d|");
  CHECK(parsed("\n  \n# x=y\n  # z\nA=b\n") == "A=b|");
  CHECK(parsed("export A=b") == "A=b|");
  CHECK(parsed("  export\t A = b c \t") == "A=b c|");
  CHECK(parsed("export=b") == "export=b|");
  CHECK(parsed("exporter=b") == "exporter=b|");
  CHECK(parsed("A=b # c") == "A=b|");
  CHECK(parsed("A=b#c") == "A=b#c|");
  CHECK(parsed("A=#c") == "A=#c|");
  CHECK(parsed("A=b=c==") == "A=b=c==|");
  CHECK(parsed("A=b\\n$C\"d'") == "A=b\\n$C\"d'|");
  CHECK(parsed("A='b \\n \" $C #d'") == "A=b \\n \" $C #d|");
  CHECK(parsed("A=\" b #c 'd' $E \"") == "A= b #c 'd' $E |");
  CHECK(parsed(R"(A="1\n2\r3\t4\"5\\6\$7")") == "A=1\n2\r3\t4\"5\\6$7|");
  CHECK(parsed("A='1\n2\n'\nB=\"3\n\n4\" # x\nC=5") == "A=1\n2\n|B=3\n\n4|C=5|");
  CHECK(parsed("A='b'  # c") == "A=b|");
  CHECK(parsed("a.b:c-d_1=x") == "a.b:c-d_1=x|");
}

TEST_CASE("a dotenv file of Windows reads as any other") {
  CHECK(parsed("\xEF\xBB\xBF"
               "A=b\r\nC='d'\r\n\r\nE=\"f\" # g\r\n") == "A=b|C=d|E=f|");
}

TEST_CASE("a wrong line of a dotenv file is told by its number and why") {
  CHECK(parsed("A=b\nhunter2\n") == "F, line 2: there is no = after a name.");
  CHECK(parsed("# x\n\nhunt er2=c\n") == "F, line 3: what stands before the = is no name for a secret.");
  CHECK(parsed("list=c\n") == "F, line 1: what stands before the = is no name for a secret.");
  CHECK(parsed("=c\n") == "F, line 1: what stands before the = is no name for a secret.");
  CHECK(parsed(std::string(65, 'a') + "=c\n") == "F, line 1: what stands before the = is no name for a secret.");
  CHECK(parsed("A=\n") == "F, line 1: the value is empty.");
  CHECK(parsed("A= # b\n") == "F, line 1: the value is empty.");
  CHECK(parsed("B=c\nA=\"\"\n") == "F, line 2: the value is empty.");
  CHECK(parsed("A='1\n2'\nB=c\nA=d\n") == "F, line 4: the name is that of line 1.");
  CHECK(parsed("A=b\nB='c\nd\n") == "F, line 2: the quoted value has no end.");
  CHECK(parsed("A=\"b\\\"") == "F, line 1: the quoted value has no end.");
  CHECK(parsed("A=\"b\\") == "F, line 1: the quoted value has no end.");
  CHECK(parsed("A='1\n2' hunter2\n") == "F, line 2: the line goes on after the closing quote.");
  CHECK(parsed("A='1'#b") == "F, line 1: the line goes on after the closing quote.");
  CHECK(parsed("B=c\nA=\"\\d\"\n") ==
        "F, line 2: the value in double quotes has a \\ that begins no escape; write \\\\ for a \\.");
  CHECK(parsed("") == "F holds no secret.");
  CHECK(parsed("# only this\n\n") == "F holds no secret.");
}

TEST_CASE("a dotenv value is as long as a secret may be and no longer") {
  CHECK(read_dotenv("A=" + std::string(kMaxSecretBytes, 'x'), "F"));
  const auto longer = read_dotenv("A=" + std::string(kMaxSecretBytes + 1, 'x'), "F");
  REQUIRE_FALSE(longer);
  CHECK(longer.error().code == Code::secret_value_too_large);
  CHECK(longer.error().message == "F, line 1: the value is longer than 511999 bytes.");
}

TEST_CASE("a dotenv line is written in double quotes with escapes") {
  CHECK(dotenv_line("key", Secret("a b")).reveal() == "key=\"a b\"\n");
  CHECK(dotenv_line("key", Secret("\n\r\t\"\\$'#\xc3\xa4")).reveal() == "key=\"\\n\\r\\t\\\"\\\\\\$'#\xc3\xa4\"\n");
}

TEST_CASE("what is written as dotenv reads back to the same bytes") {
  std::mt19937 random(20261122);  // NOLINT(bugprone-random-generator-seed): the same cases every time
  const std::string likely = "\"\\\\$\n\r\t'#= nrt`\x01\x7f\xff";
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> values;
    std::string text;
    for (std::size_t i = 0; i < 1 + random() % 3; ++i) {
      std::string value(1 + random() % 12, '\0');
      for (char& c : value) {
        c = random() % 4 == 0 ? static_cast<char>(random() % 256) : likely[random() % likely.size()];
      }
      text += dotenv_line("k" + std::to_string(i), Secret(value)).reveal();
      values.push_back(value);
    }
    const auto entries = read_dotenv(text, "F");
    REQUIRE(entries);
    REQUIRE(entries->size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) REQUIRE((*entries)[i].value.reveal() == values[i]);
  }
}

TEST_CASE("no bytes at all upset the reader of dotenv files") {
  std::mt19937 random(5);  // NOLINT(bugprone-random-generator-seed): the same cases every time
  const std::string alphabet = "Ab=\"'\\\n# \r\texport$";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 24, '\0');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    const auto entries = read_dotenv(text, "F");
    if (!entries) {
      CHECK(entries.error().message.starts_with("F"));
      continue;
    }
    for (const DotenvEntry& entry : *entries) REQUIRE_FALSE(entry.value.reveal().empty());
  }
}

}  // namespace
}  // namespace leger
