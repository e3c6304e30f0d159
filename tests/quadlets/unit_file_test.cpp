#include "quadlets/unit_file.h"

#include <doctest/doctest.h>

namespace leger::test {
namespace {

using Names = std::vector<std::string>;

std::string in_container(const std::string& lines) { return "[Container]\n" + lines; }

// One text for all entries, so that a difference is seen at a glance.
std::string all(std::string_view text) {
  std::string result;
  for (const UnitEntry& entry : parse_unit_file(text))
    result += entry.section + "." + entry.key + "=" + entry.value + "|";
  return result;
}

TEST_CASE("sections, keys and values are read in order, repeated ones too") {
  CHECK(all("[A]\nx=1\nx=2\n[B]\ny=3\n[A]\nz=4") == "A.x=1|A.x=2|B.y=3|A.z=4|");
}

TEST_CASE("blanks around lines, keys and values do not count, those inside do") {
  CHECK(all("  [A]\t\n\t x \t=  1 2  \r\n[B] \t\ny==3=\n") == "A.x=1 2|B.y==3=|");
}

TEST_CASE("comments start with # or ; and only at the beginning of a line") {
  CHECK(all("# a\n[A]\n;x=1\n  # y=2\nz=3 # no comment\n") == "A.z=3 # no comment|");
}

TEST_CASE("a backslash at the end continues the line; comments and blank lines inside are skipped") {
  CHECK(all("[A]\nx=1 \\\n  2\\\n# inside\n; inside\n\n3\ny=4\n") == "A.x=1 23|A.y=4|");
  CHECK(all("[A]\nx=1\\ \ny=2") == "A.x=1y=2|");
  CHECK(all("[A\\\n]\nx=1") == "A.x=1|");
}

TEST_CASE("a backslash at the end of the file ends the value; before comments alone it loses the line") {
  CHECK(all("[A]\nx=1\\") == "A.x=1|");
  CHECK(all("[A]\nx=1\\\n") == "A.x=1|");
  CHECK(all("[A]\nx=1\\\n# end\n") == "");
}

TEST_CASE("what is no section and no entry is skipped") {
  CHECK(all("x=0\n[A]\nnonsense\n=1\n[B\ny=2\n[C] z=3\n") == "A.y=2|A.[C] z=3|");
  CHECK(all("") == "");
  CHECK(all(std::string_view("\0\0[A]\n", 6)) == "");
}

TEST_CASE("entries and problems know the line on which they begin") {
  const auto entries = parse_unit_file("# one\n[A]\nx=1 \\\n# inside\n2\n\ny=3\n");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].line == 3);
  CHECK(entries[1].line == 7);
  const auto problems = unit_file_problems("x=0\n[A]\nx=1\\\n2\nnonsense \\\n=1\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].line == 1);
  CHECK(unit_file_problems("[A]\n\nfine=1\n=1\n").at(0).line == 4);
}

TEST_CASE("words are parted by blanks, with quotes and C escapes undone") {
  CHECK(split_words("a  b\tc") == Names{"a", "b", "c"});
  CHECK(split_words(R"("a b" 'c "d' e"f g"h)") == Names{"a b", "c \"d", "ef gh"});
  CHECK(split_words(R"(a\x41\102\u0043\U00000044 \s\t\\\"\')") == Names{"aABCD", " \t\\\"'"});
  CHECK(split_words(R"(\u00e9\u20ac\U0001F600)") == Names{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"});
  CHECK(split_words(R"("open quote)") == Names{"open quote"});
  CHECK(split_words("trailing\\") == Names{"trailing"});
  CHECK(split_words(R"(a "" b)") == Names{"a"});
  for (const char* bad :
       {R"(a\q)", R"(a\x4)", R"(a\xzz)", R"(a\x00)", R"(a\08)", R"(a\777)", R"(a\u12)", R"(a\UFFFFFFFF)"}) {
    CHECK_MESSAGE(split_words(bad).empty(), bad);
  }
}

TEST_CASE("secrets are the names in front of the options, each once, in order") {
  CHECK(secrets_of_unit(in_container("Secret=b,type=env\nSecret=a\nSecret=b,type=mount,target=x\n")) ==
        Names{"b", "a"});
  CHECK(secrets_of_unit(in_container("Secret=one two,type=env \"three\"\n")) == Names{"one", "two", "three"});
  CHECK(secrets_of_unit(in_container("Secret=type=env,source=late,target=X\n")) == Names{"late"});
  CHECK(secrets_of_unit(in_container("Secret=k\\x41\n")) == Names{"kA"});
  CHECK(secrets_of_unit(in_container("Secret=one\\\n# comment\n,type=env\n")) == Names{"one"});
}

TEST_CASE("an empty Secret= forgets those before it") {
  CHECK(secrets_of_unit(in_container("Secret=a\nSecret=\nSecret=b\n")) == Names{"b"});
}

TEST_CASE("Secret= counts in [Container] alone") {
  CHECK(secrets_of_unit("[Build]\nSecret=id=x,src=y\n[Service]\nSecret=a\n[container]\nSecret=b\n").empty());
  CHECK(secrets_of_unit("[Container]\nImage=x\n[Service]\n[Container]\nSecret=c\n") == Names{"c"});
  CHECK(secrets_of_unit(in_container("secret=a\nSecrets=b\nSecret=,type=env\nSecret=type=env,target=x\n")).empty());
}

}  // namespace
}  // namespace leger::test
